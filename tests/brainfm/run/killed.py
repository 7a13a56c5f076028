"""Runs a recipe in child processes, each killed a little later than the one before, until one comes to its end.

python killed.py RECIPE OUT prints how many died.
"""

from __future__ import annotations

import sys
from pathlib import Path

from dying import deaths

from brainfm.recipe import Recipe
from brainfm.run.fit import fit


def main(recipe: Path, out: Path) -> int:
    """How many children were killed before one finished."""
    return sum(deaths(lambda: fit(Recipe.read([recipe]), out)))


if __name__ == "__main__":
    print(f"killed {main(Path(sys.argv[1]), Path(sys.argv[2]))}")
