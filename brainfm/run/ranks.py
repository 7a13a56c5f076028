"""Several processes carry out one run: the first judges and writes, the others train with it and wait."""

from __future__ import annotations

import io
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from datetime import datetime
from pathlib import Path
from threading import Event, Thread

from lightning.pytorch.utilities import rank_zero_only

_SECONDS_BETWEEN_LOOKS, _SECONDS_BETWEEN_SIGNS = 0.5, 5.0
# long beside what a shared file system holds back, and an hour of baselines gives signs too
_SECONDS_OF_SILENCE = 600.0
_SIGN = ".alive"


def is_first(n_nodes: int = 1) -> bool:
    """True in the process that writes; the only one where there is one.

    Started by hand on one of several nodes, a process has no rank before training begins, but knows which node it is on.
    """
    node = os.environ.get("NODE_RANK", os.environ.get("GROUP_RANK", "0"))
    elsewhere = n_nodes > 1 and "RANK" not in os.environ and int(node) > 0
    return int(getattr(rank_zero_only, "rank", 0) or 0) == 0 and not elsewhere


@contextmanager
def alive(folder: Path) -> Iterator[None]:
    """Signs of life of the first process, in the run's folder, for those who wait: they may be on another machine."""
    ended = Event()
    signs = Thread(target=_give_signs, args=(folder / _SIGN, ended), name="signs of life", daemon=True)
    signs.start()
    try:
        yield
    finally:
        ended.set()
        signs.join()
        (folder / _SIGN).unlink(missing_ok=True)


def wait_for_first(folder: Path) -> None:
    """Returns once the first process has made the folder its own; what an earlier run left there is no sign."""
    before = _sign(folder)
    wait(lambda: _sign(folder) not in (None, before), folder)


def wait(done: Callable[[], bool], folder: Path) -> None:
    """Returns once `done` is true; ends this process where the one that started it is gone, or the first gives no sign.

    Not a barrier of torch.distributed, which would give up while the first process fits baselines for an hour.
    """
    parent, last, heard = os.getppid(), _sign(folder), time.monotonic()
    while not done():
        if os.getppid() != parent:
            raise SystemExit("the first process of this run has ended: run the same command again to continue")
        if (sign := _sign(folder)) not in (None, last):
            # the time is this machine's: clocks of two need not agree
            last, heard = sign, time.monotonic()
        if time.monotonic() - heard > _SECONDS_OF_SILENCE:
            raise SystemExit(_silent_for(folder, last))
        time.sleep(_SECONDS_BETWEEN_LOOKS)


def _give_signs(path: Path, ended: Event) -> None:
    while True:
        # a disk that fails once fails the run itself where it matters; the next sign is soon
        with suppress(OSError):
            path.write_text(f"process {os.getpid()} on {socket.gethostname()}, {datetime.now().isoformat()}")
        if ended.wait(_SECONDS_BETWEEN_SIGNS):
            return


def _sign(folder: Path) -> str | None:
    """The last sign; None where there is none, or where it is just being written."""
    with suppress(OSError):
        return (folder / _SIGN).read_text() or None
    return None


def _silent_for(folder: Path, last: str | None) -> str:
    return (
        f"the first process of this run has given no sign of life in {folder / _SIGN} for {_SECONDS_OF_SILENCE / 60:g} minutes "
        f"(last: {last or 'none'}): it has died, was not started, or has another folder. See what it said, check that all "
        f"nodes share {folder}, and run the same command again on each to continue"
    )


@contextmanager
def silent() -> Iterator[None]:
    """What the first process says is not said again."""
    with redirect_stdout(io.StringIO()):
        yield
