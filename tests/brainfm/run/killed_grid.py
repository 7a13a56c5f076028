"""Runs a grid in child processes, each killed by SIGKILL after a few more files than the one before, until one ends.

python killed_grid.py RECIPE OUT prints how many died, the cells that were begun again though they were done, and those lost.
A program of its own, so that children are forked from a process that has no threads.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

import yaml

from brainfm.run.executors import Here
from brainfm.run.grid import LOG, RESULT
from brainfm.run.scale import scale

_STEP = 5


def scale_until(recipe: Path, out: Path, n_writes: int) -> None:
    """Scales, unless death comes first, in turn just before and just after a file gets its name."""
    replace, count, before = os.replace, [0], n_writes % 2

    def replace_and_die(*paths: str) -> None:
        count[0] += 1
        if count[0] == n_writes and before:
            os.kill(os.getpid(), signal.SIGKILL)
        replace(*paths)
        if count[0] == n_writes:
            os.kill(os.getpid(), signal.SIGKILL)

    os.replace = replace_and_die
    scale(yaml.safe_load(recipe.read_text()), out, Here())


def done(out: Path) -> dict[str, tuple[int, int]]:
    """Of each finished cell when it was written and how often it was begun."""
    return {
        file.parent.name: (file.stat().st_mtime_ns, (file.parent / LOG).read_text().count("== "))
        for file in out.glob(f"cells/*/{RESULT}")
    }


def main(recipe: Path, out: Path) -> dict[str, object]:
    twice: set[str] = set()
    lost: set[str] = set()
    for attempt in range(1, 100):
        before = done(out)
        child = os.fork()
        if child == 0:
            scale_until(recipe, out, _STEP * attempt)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        after = done(out)
        lost |= before.keys() - after.keys()
        twice |= {cell for cell in before.keys() & after.keys() if before[cell] != after[cell]}
        if not os.WIFSIGNALED(status):
            assert os.waitstatus_to_exitcode(status) == 0
            return {"killed": attempt - 1, "twice": sorted(twice), "lost": sorted(lost)}
    raise AssertionError("no attempt came to its end")


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), Path(sys.argv[2]))))
