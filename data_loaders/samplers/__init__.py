"""Which windows come next, one rule per file."""
