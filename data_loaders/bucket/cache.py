"""The cache: verified blocks as files named by their checksums, shared by every process of a machine, capped in bytes.

A block is written under another name while its lock is held, and renamed: a kill at any moment leaves nothing that counts.
Locks are those of the operating system and end with the process. Names are contents: nothing in the cache is ever out of date.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from data_loaders.bucket.blocks import Block
from data_loaders.bucket.ledger import Ledger, lock

_PART = ".part"
# seconds within which it does not matter which block was opened last: noting it costs a write to the disk
_RECENT = 10.0


class Cache:
    """A folder of blocks. Safe to share between threads, processes and stores; may be deleted at any time.

    `size` is the cap in bytes. Blocks that have not been opened for longest go first; a reader that has one open keeps
    its bytes until it lets go.
    """

    def __init__(self, folder: Path, size: int) -> None:
        self.folder, self.size = folder, size
        (folder / "locks").mkdir(parents=True, exist_ok=True)
        (folder / "blocks").mkdir(exist_ok=True)
        self._blocks = str(folder / "blocks")
        self._ledger = Ledger(folder, size, busy=self._busy)

    def path(self, sha256: str) -> Path:
        """Where a block lies, or would lie."""
        return Path(self._path(sha256))

    def has(self, block: Block) -> bool:
        """True where the block is there, whole."""
        return os.path.exists(self._path(block.sha256))

    def open(self, block: Block) -> int | None:
        """A descriptor of the block, None where it is not there. Opened blocks are the last to go."""
        path = self._path(block.sha256)
        try:
            number = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            sound = _sound(number, block)
        except BaseException:
            os.close(number)
            raise
        if not sound:
            os.close(number)
            Path(path).unlink(missing_ok=True)
            return None
        if time.time() - os.fstat(number).st_mtime > _RECENT:
            os.utime(number)
        return number

    @contextmanager
    def writing(self, block: Block) -> Iterator[int]:
        """A descriptor to write the block to; renamed to its place at the end, gone after an error. Needs `locked`."""
        path = self.path(block.sha256)
        part = path.with_name(path.name + _PART)
        number = self._ledger.room(part, block.size)
        try:
            yield number
            self._ledger.rename(part, path)
        finally:
            os.close(number)
            part.unlink(missing_ok=True)

    @contextmanager
    def locked(self, blocks: Iterable[Block]) -> Iterator[None]:
        """Nobody else on this machine writes these blocks meanwhile."""
        with ExitStack() as stack:
            # in one order everywhere, so that no two wait for each other
            for path in sorted({self._lock(block.sha256) for block in blocks}):
                stack.enter_context(lock(path))
            yield

    def _path(self, sha256: str) -> str:
        # plain text: paths are made at every block
        return f"{self._blocks}/{sha256}"

    def _lock(self, sha256: str) -> str:
        # a bounded number of lock files: none has to be removed, which cannot be done safely
        return str(self.folder / "locks" / f"{sha256[:3]}.lock")

    def _busy(self, part: Path) -> bool:
        """True where somebody is writing this part; False where a kill left it."""
        try:
            with lock(self._lock(part.name), waits=False):
                return False
        except BlockingIOError:
            return True


def _sound(number: int, block: Block) -> bool:
    """True where the file is whole. Bytes that were verified before the machine last started are verified again, once."""
    facts = os.fstat(number)
    if facts.st_size != block.size:
        return False
    if facts.st_mtime > _started():
        return True
    # a power cut loses what was renamed but not yet on the disk; waiting for the disk at each block would cost more
    digest = hashlib.sha256()
    for start in range(0, block.size, 1 << 22):
        digest.update(os.pread(number, 1 << 22, start))
    return digest.hexdigest() == block.sha256


def _started() -> float:
    """When this machine was started, in seconds of its clock."""
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.time() - time.clock_gettime(clock)
