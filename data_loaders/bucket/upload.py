"""A bucket to write to: recordings are uploaded whole under another name, then given theirs; the catalog comes last.

What is there is known from the store's own catalog, and where a kill left recordings that it does not list, from the files.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from rich.progress import track

from data_loaders import recorded
from data_loaders.bucket import manifest
from data_loaders.bucket.blocks import Block
from data_loaders.bucket.manifest import MANIFEST
from data_loaders.bucket.settings import cache_folder, settings
from data_loaders.bucket.transport import Transport
from data_loaders.catalog import CATALOG, EVENTS, Catalog
from data_loaders.shelf import Shelf, clear

_UNDER_WAY = ".uploading"


class Bucket(Shelf):
    """An address that fsspec opens for writing, with its `storage_options`.

    Raises PermissionError and ConnectionError with the address and what to do.
    """

    def __init__(self, address: str, options: Mapping[str, Any] | None = None) -> None:
        machine = settings()
        self._transport = Transport(address, options, machine.timeout, machine.connections)
        self._options = options
        digest = hashlib.sha256(self._transport.identity.encode()).hexdigest()[:24]
        self.folder = cache_folder() / "outgoing" / digest
        clear(self.folder)
        self._events: dict[str, pd.DataFrame] = {}
        self._tables: dict[str, Block] = {}

    def headers(self) -> dict[str, dict[str, Any]]:
        there = self._transport.names()
        for name in there:
            if name.endswith(_UNDER_WAY):
                self._transport.remove(name)
        files = {name: size for name, size in there.items() if name.endswith(".h5")}
        if MANIFEST in there:
            self._tables = manifest.blocks(self._transport.whole(MANIFEST), self._transport.address(MANIFEST))
        listed = self._listed(files) if self._tables else {}
        rest = [name for name in sorted(files) if name not in listed]
        found = {name: self._read(name, files[name]) for name in track(rest, "looking", disable=not rest)}
        return listed | {name: header for name, header in found.items() if header is not None}

    def put(self, path: Path, file: str) -> None:
        if file.endswith(".h5"):
            self._events[file] = recorded.events_of(path)
        aside = f"{file}.{uuid.uuid4().hex[:8]}{_UNDER_WAY}"
        self._transport.put(path, aside)
        self._transport.move(aside, file)
        path.unlink()

    def seal(self, tables: Mapping[str, Path]) -> None:
        listed = self.folder / f".{MANIFEST}.tmp"
        # what others put beside the recordings (features of stimuli) stays listed
        listed.write_bytes(manifest.written(tables, self._tables))
        for name, path in {**tables, MANIFEST: listed}.items():
            self.put(path, name)

    def events(self, file: str) -> pd.DataFrame:
        return self._events[file]

    def remove(self, file: str) -> None:
        self._transport.remove(file)

    def _listed(self, files: Mapping[str, int]) -> dict[str, dict[str, Any]]:
        """What the catalog of the store lists and stands there in the same length."""
        from data_loaders.bucket.remote import Remote

        content = Remote(self._transport.root, self._options)
        catalog, events = Catalog(content.table(CATALOG), self._transport.root), pd.read_parquet(content.table(EVENTS))
        rows = dict(tuple(events.groupby("recording")))
        none = events.iloc[:0]
        found = {}
        for index, header in enumerate(catalog.headers()):
            if files.get(header["file"]) == header["size"]:
                found[header["file"]] = header
                own = rows.get(index, none).drop(columns="recording").dropna(axis="columns", how="all")
                self._events[header["file"]] = own.reset_index(drop=True)
        return found

    def _read(self, name: str, size: int) -> dict[str, Any] | None:
        """The header of a file that no catalog lists; None, which is printed, where it cannot be read."""
        try:
            with self._transport.opened(name) as opened:
                header = recorded.header_of(opened, size)
                self._events[name] = recorded.events_of(opened)
        except (OSError, KeyError) as error:
            print(f"{self._transport.address(name)} is no recording and will be written anew: {error}")
            return None
        return header
