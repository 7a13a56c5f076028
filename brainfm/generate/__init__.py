"""Running a trained model forward: what it would have done, from its own past."""
