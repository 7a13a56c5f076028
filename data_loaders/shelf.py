"""Where the finished files of a store stand: what a Writer needs of a folder, or of a bucket."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from data_loaders import recorded
from data_loaders.bucket import manifest
from data_loaders.bucket.manifest import MANIFEST
from data_loaders.catalog import CATALOG, EVENTS
from data_loaders.features import FEATURES


class Shelf(ABC):
    """Files under names relative to the store. `folder` is on this machine: files are written there before they are put."""

    folder: Path

    @abstractmethod
    def headers(self) -> dict[str, dict[str, Any]]:
        """The headers of the recordings that stand here, whole, by file."""

    @abstractmethod
    def put(self, path: Path, file: str) -> None:
        """Takes a file written in `folder`: it is seen under its name only when it is whole, and `path` is gone."""

    @abstractmethod
    def seal(self, tables: Mapping[str, Path]) -> None:
        """Takes the tables of the store by name, written in `folder`, and after them the manifest that lists them all.

        The manifest comes last: a reader over a network takes tables only together, as it lists them.
        """

    @abstractmethod
    def events(self, file: str) -> pd.DataFrame:
        """The events of a recording that stands here."""

    @abstractmethod
    def remove(self, file: str) -> None:
        """Removes a recording."""


class Folder(Shelf):
    """A folder: files are renamed within it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        clear(folder)

    def headers(self) -> dict[str, dict[str, Any]]:
        found = sorted(self.folder.rglob("*.h5"))
        return {str(file.relative_to(self.folder)): recorded.header_of(file, file.stat().st_size) for file in found}

    def put(self, path: Path, file: str) -> None:
        _finish(path, self.folder / file)

    def seal(self, tables: Mapping[str, Path]) -> None:
        for name, path in tables.items():
            self.put(path, name)
        seal(self.folder)

    def events(self, file: str) -> pd.DataFrame:
        return recorded.events_of(self.folder / file)

    def remove(self, file: str) -> None:
        (self.folder / file).unlink()


def seal(store: Path) -> None:
    """Writes the manifest of a folder's tables."""
    tables = {name: path for name in (EVENTS, CATALOG, FEATURES) if (path := store / name).exists()}
    replace_file(store / MANIFEST, lambda path: path.write_bytes(manifest.written(tables)))


def replace_file(target: Path, write: Callable[[Path], Any]) -> None:
    """Lets `write` write under another name, which then becomes the target's."""
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    write(temporary)
    _finish(temporary, target)


def _finish(temporary: Path, target: Path) -> None:
    with open(temporary, "rb") as file:
        os.fsync(file.fileno())
    os.replace(temporary, target)


def clear(folder: Path) -> None:
    """Makes the folder where it is missing, and removes what a kill left half-written in it."""
    folder.mkdir(parents=True, exist_ok=True)
    for leftover in folder.rglob(".*.tmp"):
        leftover.unlink()
