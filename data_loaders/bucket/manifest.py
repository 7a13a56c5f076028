"""The manifest of a store: size and checksum of its tables. Written last, it is what a reader over a network asks for first."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path

from data_loaders.bucket.blocks import Block
from data_loaders.bucket.transport import Transport

MANIFEST = "store.json"
_FORMAT = 1


def written(files: Mapping[str, Path], before: Mapping[str, Block] | None = None) -> bytes:
    """The manifest of tables, by the names that they will have; of those that are not written now, what it said before."""
    kept = {name: {"size": block.size, "sha256": block.sha256} for name, block in (before or {}).items()}
    tables = {name: {"size": file.stat().st_size, "sha256": _digest(file)} for name, file in files.items()}
    return json.dumps({"format": _FORMAT, "tables": kept | tables}, indent=1).encode()


def blocks(content: bytes, where: str) -> dict[str, Block]:
    """The tables that a manifest lists. Raises ValueError where it is none."""
    try:
        manifest = json.loads(content)
        tables: Mapping[str, Mapping] = manifest["tables"]
        found = {
            name: Block(name, 0, int(table["size"]), str(table["sha256"]), int(table["size"]))
            for name, table in tables.items()
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{where} is no manifest of a store: write the store again with `brainfm prepare`") from error
    if manifest["format"] != _FORMAT:
        raise ValueError(f"{where} was written by another version of brainfm: install that, or prepare the store again")
    return found


class Manifest:
    """The manifest at an address, and the last one that was seen there, for when the network is away."""

    def __init__(self, transport: Transport, folder: Path) -> None:
        self._transport = transport
        self._where = transport.address(MANIFEST)
        folder.mkdir(parents=True, exist_ok=True)
        self._kept = folder / f"{hashlib.sha256(transport.identity.encode()).hexdigest()[:24]}.json"

    def read(self) -> dict[str, Block]:
        """The tables of the store as it is now, or was when the network was last there (that is printed)."""
        try:
            # where there is something to go on with, a machine without network is not kept waiting
            content = self._transport.whole(MANIFEST, *([2] if self._kept.exists() else []))
        except ConnectionError as error:
            if not self._kept.exists():
                raise
            seen = time.strftime("%Y-%m-%d %H:%M", time.localtime(self._kept.stat().st_mtime))
            print(f"{self._transport.root} cannot be reached ({error.__cause__}): reading from the cache, as of {seen}")
            return blocks(self._kept.read_bytes(), str(self._kept))
        found = blocks(content, self._where)
        part = self._kept.with_suffix(f".{os.getpid()}.part")
        part.write_bytes(content)
        os.replace(part, self._kept)
        return found


def _digest(file: Path) -> str:
    with open(file, "rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
