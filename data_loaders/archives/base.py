"""A file of an archive: where it is, what it is called here, how large it is, and how to tell that it is whole."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

# AWS's command line, boto and aspera cut large uploads so; an ETag of parts does not say how
_PART_SIZES = tuple(n * 2**20 for n in (5, 8, 10, 16, 25, 32, 50, 64, 100, 128, 256, 512))


@dataclass(frozen=True)
class File:
    """`path` is relative to the folder that is downloaded into; `size` in bytes, None where the archive does not say.

    `checksum` is `sha256:...`, `md5:...`, `etag:...` (the MD5 of S3, or of parts: `etag:...-12`), or empty where the archive
    gives none: then the size alone is checked.
    """

    path: str
    url: str
    size: int | None = None
    checksum: str = ""

    def __post_init__(self) -> None:
        parts = PurePosixPath(self.path)
        if parts.is_absolute() or ".." in parts.parts or not parts.parts:
            raise ValueError(
                f"{self.url} would be written to {self.path!r}, outside of the folder: the listing is not to be trusted"
            )


def wrong(file: File, path: Path) -> str | None:
    """What is wrong with a downloaded file, in words; None where it is whole."""
    size = path.stat().st_size
    if file.size is not None and size != file.size:
        return f"it has {size:,} bytes, expected {file.size:,}"
    kind, _, expected = file.checksum.partition(":")
    if not file.checksum:
        return None
    found = _etag(path, expected) if kind == "etag" else _digest(path, kind)
    # ETags of parts of an unknown size cannot be told wrong
    return None if found in (expected, None) else f"its {kind} is {found}, expected {expected}"


def _digest(path: Path, kind: str) -> str:
    import pooch

    return pooch.file_hash(str(path), alg=kind)


def _etag(path: Path, expected: str) -> str | None:
    """The ETag that S3 would give; None where it depends on a size of parts that none of the usual ones matches."""
    if "-" not in expected:
        return _digest(path, "md5")
    size, n_parts = path.stat().st_size, int(expected.rpartition("-")[2])
    sizes = [part for part in _PART_SIZES if -(-size // part) == n_parts]
    tried = [_of_parts(path, part) for part in sizes]
    return expected if expected in tried else None


def _of_parts(path: Path, part: int) -> str:
    digests: list[Any] = []
    with path.open("rb") as file:
        while block := file.read(part):
            digests.append(hashlib.md5(block, usedforsecurity=False).digest())
    return f"{hashlib.md5(b''.join(digests), usedforsecurity=False).hexdigest()}-{len(digests)}"
