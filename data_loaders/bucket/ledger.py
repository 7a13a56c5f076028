"""How many bytes the cache holds: counted under one lock by every process, and made less before they pass the cap."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

# evicting a tenth at once, the folder is not listed for every block
_LOW = 0.9
_PART = ".part"


@contextmanager
def lock(path: str | Path, waits: bool = True) -> Iterator[None]:
    """A lock of the operating system: it ends with the process that holds it, also when that is killed.

    Raises BlockingIOError where somebody holds it and it is not waited for.
    """
    number = opened(Path(path))
    try:
        # the system wakes who waits; libraries that ask again and again lose milliseconds at each of a thousand blocks
        fcntl.flock(number, fcntl.LOCK_EX | (0 if waits else fcntl.LOCK_NB))
        yield
    finally:
        os.close(number)


def opened(path: Path) -> int:
    """A descriptor of a file of the cache, made anew where the cache was deleted meanwhile."""
    for _ in range(2):
        try:
            return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
    raise FileNotFoundError(path)


class Ledger:
    """The count, in the file `size` of the cache. `busy` tells whether a part is being written."""

    def __init__(self, folder: Path, cap: int, busy: Callable[[Path], bool]) -> None:
        self._folder, self._cap, self._busy = folder, cap, busy
        self._count = folder / "size"

    def room(self, part: Path, size: int) -> int:
        """Creates the part with room for `size` bytes, evicting what was not used for longest.

        Raises ValueError where the cap is below a single block.
        """
        if size > self._cap:
            raise ValueError(
                f"the cache {self._folder} may hold {self._cap:,} bytes, and {size:,} are wanted at once: raise BRAINFM_CACHE_SIZE"
            )
        # not under the lock: a file system may take a millisecond to find a place for a file
        number = opened(part)
        try:
            with lock(self._folder / "locks" / "size.lock"):
                held = self._held()
                if held is None or held + size > self._cap:
                    held = self._evicted(size)
                # full length from the start: whoever counts the files meanwhile counts it whole
                os.truncate(number, size)
                self._note(held + size)
        except BaseException:
            os.close(number)
            raise
        return number

    def rename(self, part: Path, path: Path) -> None:
        """Gives a finished part its name, while nobody counts: a folder that is read meanwhile may show neither name."""
        with lock(self._folder / "locks" / "size.lock"):
            os.rename(part, path)

    def _note(self, held: int) -> None:
        number = opened(self._count)
        try:
            # written over and never cut to nothing first: some file systems answer that by writing to the disk at once
            os.pwrite(number, f"{held:<20}".encode(), 0)
        finally:
            os.close(number)

    def _held(self) -> int | None:
        try:
            return int(self._count.read_text())
        except (FileNotFoundError, ValueError):
            return None

    def _evicted(self, size: int) -> int:
        """Counts the files anew, removes parts that a kill left and the oldest blocks, and gives what is held then."""
        found = sorted(self._files(), key=lambda facts: facts[1])
        held = sum(n_bytes for _, _, n_bytes in found)
        goal = max(0, int(self._cap * _LOW) - size) if held + size > self._cap else held
        for path, _, n_bytes in found:
            if path.suffix == _PART and self._busy(path):
                continue
            if held > goal or path.suffix == _PART:
                path.unlink(missing_ok=True)
                held -= n_bytes
        return held

    def _files(self) -> Iterator[tuple[Path, float, int]]:
        for folder, _, names in os.walk(self._folder / "blocks"):
            for path in (Path(folder, name) for name in names):
                try:
                    facts = path.stat()
                except FileNotFoundError:  # renamed or removed by another process since it was listed
                    continue
                yield path, facts.st_mtime, facts.st_size
