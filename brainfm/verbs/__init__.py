"""What the command `brainfm` can do, one verb per file: `flags` tells argparse, `run` does it."""
