"""What is measured, always beside chance and baselines."""
