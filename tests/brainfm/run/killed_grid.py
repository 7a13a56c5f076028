"""Runs a grid in child processes, each killed after a few more files than the one before, until one ends.

python killed_grid.py RECIPE OUT prints how many died, the cells that were begun again though they were done, and those lost.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import yaml
from dying import deaths

from brainfm.run.executors import Here
from brainfm.run.grid import LOG, RESULT
from brainfm.run.scale import scale

_STEP = 9


def done(out: Path) -> dict[str, tuple[int, int]]:
    """Of each finished cell when it was written and how often it was begun."""
    return {
        file.parent.name: (file.stat().st_mtime_ns, (file.parent / LOG).read_text().count("== "))
        for file in out.glob(f"cells/*/{RESULT}")
    }


def main(recipe: Path, out: Path) -> dict[str, object]:
    killed, twice, lost = 0, set(), set()
    before = done(out)
    for died in deaths(lambda: scale(yaml.safe_load(recipe.read_text()), out, Here()), _STEP):
        after = done(out)
        killed += died
        lost |= before.keys() - after.keys()
        twice |= {cell for cell in before.keys() & after.keys() if before[cell] != after[cell]}
        before = after
    return {"killed": killed, "twice": sorted(twice), "lost": sorted(lost)}


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), Path(sys.argv[2]))))
