"""Files that are whole or absent: written under another name, then renamed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def written(path: Path) -> Iterator[Path]:
    """Gives a temporary path beside `path` and renames it at the end; after an error or a kill `path` is what it was.

    >>> with written(Path("scores.csv")) as part:  # doctest: +SKIP
    ...     part.write_text("value")
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # the process id: two runs that write the same file must not share a half of it
    part = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    try:
        yield part
        _to_disk(part)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def _to_disk(path: Path) -> None:
    """Waits until the bytes have left the page cache, so that a power cut cannot leave an empty file with the final name."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
