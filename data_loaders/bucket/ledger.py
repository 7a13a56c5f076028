"""How many bytes the cache holds: counted under one lock by every process, and made less before they pass the cap."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from filelock import BaseFileLock, FileLock

# evicting a tenth at once, the folder is not listed for every block
_LOW = 0.9
_PART = ".part"


def lock(path: str | Path) -> BaseFileLock:
    """A lock of the operating system: it ends with the process that holds it, also when that is killed."""
    return FileLock(path, poll_interval=0.005, thread_local=False)


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
        with lock(self._folder / "locks" / "size.lock"):
            held = self._held()
            if held is None or held + size > self._cap:
                held = self._evicted(size)
            number = os.open(part, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
            # full length from the start: whoever counts the files meanwhile counts it whole
            os.truncate(number, size)
            self._count.write_text(str(held + size))
            return number

    def rename(self, part: Path, path: Path) -> None:
        """Gives a finished part its name, while nobody counts: a folder that is read meanwhile may show neither name."""
        with lock(self._folder / "locks" / "size.lock"):
            os.rename(part, path)

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
        for folder in (self._folder / "blocks").iterdir():
            for entry in os.scandir(folder):
                try:
                    facts = entry.stat()
                except FileNotFoundError:  # renamed or removed by another process since it was listed
                    continue
                yield Path(entry.path), facts.st_mtime, facts.st_size
