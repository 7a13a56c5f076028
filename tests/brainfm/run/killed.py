"""Runs a recipe in child processes, each killed by SIGKILL a little later than the one before, until one comes to its end.

python killed.py RECIPE OUT: the n-th child dies at its n-th renaming of a file, in turn just before and just after it.
Prints how many died. A program of its own, so that children are forked from a process that has no threads.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from brainfm.recipe import Recipe
from brainfm.run.fit import fit


def fit_until(recipe: Path, out: Path, n_writes: int) -> None:
    """Fits, unless death comes first."""
    replace, count, before = os.replace, [0], n_writes % 2

    def replace_and_die(*paths: str) -> None:
        count[0] += 1
        if count[0] == n_writes and before:
            os.kill(os.getpid(), signal.SIGKILL)
        replace(*paths)
        if count[0] == n_writes:
            os.kill(os.getpid(), signal.SIGKILL)

    os.replace = replace_and_die
    fit(Recipe.read([recipe]), out)


def main(recipe: Path, out: Path) -> int:
    """How many children were killed before one finished."""
    for attempt in range(1, 100):
        child = os.fork()
        if child == 0:
            fit_until(recipe, out, attempt)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            assert os.waitstatus_to_exitcode(status) == 0
            return attempt - 1
    raise AssertionError("no attempt came to its end")


if __name__ == "__main__":
    print(f"killed {main(Path(sys.argv[1]), Path(sys.argv[2]))}")
