"""Several processes carry out one run: the first judges and writes, the others train with it and wait."""

from __future__ import annotations

import io
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout

from lightning.pytorch.utilities import rank_zero_only

_SECONDS_BETWEEN_LOOKS = 0.5


def is_first(n_nodes: int = 1) -> bool:
    """True in the process that writes; the only one where there is one.

    Started by hand on one of several nodes, a process has no rank before training begins, but knows which node it is on.
    """
    node = os.environ.get("NODE_RANK", os.environ.get("GROUP_RANK", "0"))
    elsewhere = n_nodes > 1 and "RANK" not in os.environ and int(node) > 0
    return int(getattr(rank_zero_only, "rank", 0) or 0) == 0 and not elsewhere


def wait(done: Callable[[], bool]) -> None:
    """Returns once `done` is true; ends this process where the one that started it is gone.

    Not a barrier of torch.distributed, which would give up while the first process fits baselines for an hour.
    """
    parent = os.getppid()
    while not done():
        if os.getppid() != parent:
            raise SystemExit("the first process of this run has ended: run the same command again to continue")
        time.sleep(_SECONDS_BETWEEN_LOOKS)


@contextmanager
def silent() -> Iterator[None]:
    """What the first process says is not said again."""
    with redirect_stdout(io.StringIO()):
        yield
