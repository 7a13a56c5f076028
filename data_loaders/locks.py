"""One process at a time in a folder: a second `fit` of a run, or `prepare` of a store, is turned away or waits."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from filelock import BaseFileLock, FileLock, SoftFileLock, Timeout

# set for the second and further processes of one run
_RANKS = ("RANK", "LOCAL_RANK", "SLURM_PROCID")


@contextmanager
def alone(folder: Path, waits: bool = False, every_rank: bool = False) -> Iterator[None]:
    """Holds the folder's lock; where another process does, waits for it if asked to, else raises ValueError that names it.

    Of a run on several devices the first process holds the lock for all, and the others pass; with `every_rank` they hold it
    in turn: for work that one does and the others find done, and in which none waits for another.

    The lock belongs to the process, in the operating system: one that was killed holds nothing. It lies beside the
    folder, as `.NAME.lock`, so that the folder may be deleted meanwhile.

    >>> with alone(Path("runs/mine")):  # doctest: +SKIP
    ...     train()
    """
    if not every_rank and any(os.environ.get(name, "0") != "0" for name in _RANKS):
        yield
        return
    folder = folder.absolute()
    folder.parent.mkdir(parents=True, exist_ok=True)
    path = folder.with_name(f".{folder.name}.lock")
    owner = path.with_suffix(".owner")
    lock = _acquired(path, folder, owner, waits)
    try:
        owner.write_text(f"process {os.getpid()} on {socket.gethostname()}, since {datetime.now():%Y-%m-%d %H:%M:%S}")
        yield
    finally:
        owner.unlink(missing_ok=True)
        lock.release()


def _acquired(path: Path, folder: Path, owner: Path, waits: bool) -> BaseFileLock:
    try:
        return _lock(path, 0.0)
    except Timeout:
        who = owner.read_text() if owner.exists() else "another process"
        if not waits:
            raise ValueError(
                f"{folder} is in use by {who}: wait until it has ended, or write to another folder"
            ) from None
    print(f"{folder} is being written by {who}: waiting for it")
    return _lock(path, -1.0)


def _lock(path: Path, timeout: float) -> BaseFileLock:
    try:
        lock: BaseFileLock = FileLock(path)
        lock.acquire(timeout=timeout)
    except (
        NotImplementedError
    ):  # a file system without locks: the file itself is the lock, with process and host inside
        lock = SoftFileLock(path)
        lock.acquire(timeout=timeout)
    return lock
