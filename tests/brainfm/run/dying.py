"""Dies by SIGKILL at the n-th renaming of a file, in turn just before and just after it; tries again until nobody dies.

For programs of their own, so that children are forked from a process that has no threads.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator


def die_at(n_writes: int) -> None:
    """From now on this process dies at its n-th renaming: before it where n is odd, after it where n is even."""
    replace, count, before = os.replace, [0], n_writes % 2

    def replace_and_die(*paths: str) -> None:
        count[0] += 1
        if count[0] == n_writes and before:
            os.kill(os.getpid(), signal.SIGKILL)
        replace(*paths)
        if count[0] == n_writes:
            os.kill(os.getpid(), signal.SIGKILL)

    os.replace = replace_and_die


def deaths(job: Callable[[], object], step: int = 1) -> Iterator[bool]:
    """Runs the job in child processes, each killed `step` renamings later than the one before; True for each that died."""
    for attempt in range(1, 100):
        child = os.fork()
        if child == 0:
            die_at(step * attempt)
            job()
            os._exit(0)
        _, status = os.waitpid(child, 0)
        died = os.WIFSIGNALED(status)
        assert died or os.waitstatus_to_exitcode(status) == 0
        yield died
        if not died:
            return
    raise AssertionError("no attempt came to its end")
