"""Source: one recording to be, found on disk but not yet read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Source:
    """Where one recording lies and what its name, folder and sidecar already tell.

    `paths` begins with the file (or the folder, for CTF) that holds the signal; the others (sidecars, events.tsv,
    participants.tsv) are read along with it. `entities` has the keys of BIDS in full: subject, session, task, run.
    `description` is what sidecars say (`data_loaders.formats.sidecar`). `key` is the same until one of the files
    changes its size or time of modification, or the description changes.
    """

    paths: tuple[Path, ...]
    modality: str
    root: Path
    entities: Mapping[str, str] = field(default_factory=dict)
    description: Mapping[str, Any] = field(default_factory=dict)

    @property
    def path(self) -> Path:
        """The file that holds the signal."""
        return self.paths[0]

    @property
    def key(self) -> str:
        """Sixteen hexadecimal digits that change when the files or what is said of them change."""
        stated = json.dumps([self.modality, dict(self.entities), dict(self.description)], sort_keys=True, default=str)
        digest = hashlib.sha256(stated.encode())
        for path in self.paths:
            for file in _files(path):
                digest.update(
                    f"{file.relative_to(path.parent)} {file.stat().st_size} {file.stat().st_mtime_ns}\n".encode()
                )
        return digest.hexdigest()[:16]


@contextmanager
def named(source: Source) -> Iterator[None]:
    """Whatever goes wrong while a source is read becomes a ValueError that names it; broken promises of ours stay what they are."""
    try:
        yield
    except AssertionError:
        raise
    except Exception as error:
        name, said = source.path.name, " ".join(str(error).split())
        if isinstance(error, ValueError):
            raise (error if name in said else ValueError(f"{name}: {error}")) from error.__cause__
        raise ValueError(f"{name} cannot be read ({type(error).__name__}: {said[:300]}): it is truncated, damaged or of another format: "
                         f"copy it again, or leave it out with `exclude: [{name}]` in brainfm.yaml") from error  # fmt: skip


def _files(path: Path) -> Iterator[Path]:
    """The file itself, or all files of a folder, in order."""
    yield from sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
