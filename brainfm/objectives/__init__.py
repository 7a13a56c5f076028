"""What is minimised, one per file."""
