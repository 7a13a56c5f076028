"""A store at an address, read through the cache: where its bytes come from when they are not on this machine."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from functools import lru_cache, partial
from typing import Any

import numpy as np
import pyarrow as pa
from jaxtyping import Int, UInt8
from numpy import ndarray

from data_loaders.bucket.blocks import BLOCK, DIGEST, Block, rows_per_block
from data_loaders.bucket.cache import Cache
from data_loaders.bucket.failures import ShorterError
from data_loaders.bucket.fetch import Fetcher
from data_loaders.bucket.manifest import MANIFEST, Manifest
from data_loaders.bucket.opened import OpenBlocks
from data_loaders.bucket.settings import Settings, settings
from data_loaders.bucket.transport import Transport
from data_loaders.extents import Bytes, Extent, Stretches
from data_loaders.reads import Opened, Pieces

# a block that is evicted again and again before it is opened says that the cap is too small for what is read at once
_TRIES = 5
# datasets whose blocks are known, and maps of short ones
_KEPT = 256


class Remote(Bytes):
    """The files below an address that fsspec opens.

    `options` are fsspec's storage_options. Raises FileNotFoundError, PermissionError and ConnectionError with what to do,
    and ValueError where bytes are not those that the catalog describes.
    """

    looks_ahead = True

    def __init__(self, root: str, options: Mapping[str, Any] | None = None, machine: Settings | None = None) -> None:
        machine = machine or settings()
        self.root = root.rstrip("/")
        self._transport = Transport(root, options, machine.timeout, machine.connections)
        self._cache = Cache(machine.cache, machine.cache_size)
        self._fetcher = Fetcher(self._transport, self._cache, machine.connections, self._why)
        self._opened = OpenBlocks(self._cache)
        # of a long stretch, no more at once than the cache keeps until it is read
        self._ahead = max(1, min(2 * machine.connections, machine.cache_size // (4 * BLOCK)))
        self._manifest = Manifest(self._transport, machine.cache / "stores")
        self._tables = self._manifest.read()
        self._layout = lru_cache(maxsize=_KEPT)(_Layout)
        self._map = lru_cache(maxsize=_KEPT)(self._mapped)

    def table(self, name: str) -> pa.NativeFile:
        if name not in self._tables:
            raise FileNotFoundError(f"{self._transport.address(MANIFEST)} lists no {name}")
        return pa.BufferReader(pa.py_buffer(self._view(self._tables[name])))

    def pieces(self, asked: Stretches) -> Pieces:
        places, of, start, stop = asked
        layouts = [self._layout(*place) for place in places]
        rows, row_bytes = np.array([(layout.rows, layout.row_bytes) for layout in layouts]).T[:, of]
        first, window = start // rows, np.arange(len(of))
        count = (stop - 1) // rows - first + 1
        if (count != 1).any():
            # cut where a block ends and the next begins
            window = np.repeat(window, count)
            first = np.arange(len(window)) + np.repeat(first - np.cumsum(count) + count, count)
        begin = first * rows[window]
        low, high = np.maximum(start[window], begin), np.minimum(stop[window], begin + rows[window])
        files, number = self._files(layouts, of[window].tolist(), first.tolist())
        offset, n_bytes, within = (n * row_bytes[window] for n in (low - begin, high - low, low - start[window]))
        return Pieces(files, number, offset, n_bytes, window, within)

    def _files(
        self, layouts: Sequence[_Layout], of: Sequence[int], index: Sequence[int]
    ) -> tuple[list[Opened], Int[ndarray, "_"]]:
        """The blocks that pieces lie in, opened, each once, and which of them is whose."""
        known: dict[tuple[int, int], int] = {}
        number = [known.setdefault(key, len(known)) for key in zip(of, index, strict=True)]
        blocks = [(layouts[one].blocks or self._blocks(layouts[one]))[block] for one, block in known]
        return [self._file(blocks, at) for at in range(len(blocks))], np.array(number, np.int64)

    def whole(self, file: str, size: int, extent: Extent) -> ndarray:
        return self._map(file, size, extent) if extent.n_bytes else np.zeros(extent.shape, extent.dtype)

    def prefetch(self, file: str, size: int, extent: Extent, starts: ndarray, stops: ndarray) -> None:
        layout = self._layout(file, size, extent)
        first, last = starts // layout.rows, np.maximum(stops - 1, starts) // layout.rows
        numbers = {*first.tolist(), *last.tolist()}
        if (last - first).max(initial=0) > 1:
            numbers.update(n for low, high in zip(first, last, strict=True) for n in range(int(low), int(high)))
        self._expect(layout, numbers)

    def _expect(self, layout: _Layout, numbers: set[int]) -> None:
        """Asks for blocks of a dataset; where their checksums are not here yet, for these, and at once for what they name."""
        blocks = self._known(layout)
        if blocks is not None:
            missing = [blocks[number] for number in sorted(numbers) if not self._opened.has(blocks[number])]
            self._fetcher.prefetch(missing)
        elif layout.sums is not None:
            for future in self._fetcher.prefetch([layout.sums]):
                future.add_done_callback(partial(self._follow, layout, numbers))

    def _follow(self, layout: _Layout, numbers: set[int], future: Future[Any]) -> None:
        # a failure is told to whoever reads; a thread that downloads waits for no other
        if future.exception() is None and self._known(layout) is not None:
            self._expect(layout, numbers)

    def _known(self, layout: _Layout) -> list[Block] | None:
        """The blocks of a dataset, None where their checksums are not on this machine."""
        if layout.blocks is None:
            file = self._opened.get(layout.sums) if layout.sums else None
            if layout.sums and not file:
                return None
            layout.read(file)
        return layout.blocks

    def _blocks(self, layout: _Layout) -> list[Block]:
        """The blocks of a dataset, once their checksums have been read."""
        if layout.blocks is None:
            layout.read(self._file([layout.sums]) if layout.sums else None)
            assert layout.blocks is not None
        return layout.blocks

    def _mapped(self, file: str, size: int, extent: Extent) -> ndarray:
        return self._view(_one(file, size, extent)).view(extent.dtype).reshape(extent.shape)

    def _view(self, block: Block) -> UInt8[ndarray, "byte"]:
        """The bytes of a block, mapped: they stay readable when the block is evicted."""
        with os.fdopen(os.dup(self._file([block]).number), "rb") as opened:
            # a plain view: the memmap class costs a Python call for each slice
            return np.memmap(opened, np.uint8, "r").view(np.ndarray)

    def _file(self, blocks: Sequence[Block], at: int = 0) -> Opened:
        """One of these blocks, opened; what is not in the cache of it and those after it is asked for together."""
        for _ in range(_TRIES):
            found = self._opened.get(blocks[at])
            if found is not None:
                return found
            self._bring(blocks[at : at + self._ahead])
            self._opened.let_go()
        raise ValueError(
            f"blocks are evicted from {self._cache.folder} before they can be read: raise BRAINFM_CACHE_SIZE"
        )

    def _bring(self, blocks: Sequence[Block]) -> None:
        try:
            self._fetcher.fetch(blocks)
        except (FileNotFoundError, ShorterError) as error:
            raise ValueError(f"{error}: {self._why(blocks[0])}") from error

    def _why(self, block: Block) -> str:
        """Why the bytes of a block are not there, and what to do."""
        if self._manifest.read() != self._tables:
            return "the store was written anew after it was opened here: start again to read the new one"
        with suppress(FileNotFoundError):
            size = self._transport.size(block.file)
            if block.file_size and size not in (None, block.file_size):
                return f"it has {size:,} bytes, not {block.file_size:,}, it was replaced: run `brainfm prepare` again"
        return "it was replaced or damaged where it lies: run `brainfm prepare` again, or upload the store again"


class _Layout:
    """How a dataset is cut into blocks: found once, because windows ask thousands of times a second."""

    def __init__(self, file: str, size: int, extent: Extent) -> None:
        self._place = (file, size, extent)
        self.row_bytes = extent.row_bytes
        self.rows = rows_per_block(self.row_bytes)
        self.sums = _sums(file, size, extent)
        self.blocks: list[Block] | None = None

    def read(self, sums: Opened | None) -> None:
        """Learns the blocks from their checksums, which lie one after the other."""
        file, size, extent = self._place
        if self.sums is None or sums is None:
            self.blocks = [_one(file, size, extent)]
            return
        digests = os.pread(sums.number, self.sums.size, 0)
        names = [digests[at : at + DIGEST].hex() for at in range(0, len(digests), DIGEST)]
        stop = extent.offset + extent.n_bytes
        starts = range(extent.offset, stop, self.rows * self.row_bytes)
        self.blocks = [Block(file, *place, size) for place in zip(starts, [*starts[1:], stop], names, strict=True)]


def _one(file: str, size: int, extent: Extent) -> Block:
    """A dataset as one block, however long: its checksum is that of the dataset."""
    return Block(file, extent.offset, extent.offset + extent.n_bytes, extent.sha256, size)


def _sums(file: str, size: int, extent: Extent) -> Block | None:
    """Where the checksums of the dataset's blocks lie, None where it is a single block."""
    rows = rows_per_block(extent.row_bytes)
    if extent.shape[0] <= rows:
        return None
    n_bytes = -(-extent.shape[0] // rows) * DIGEST
    return Block(file, extent.sums_offset, extent.sums_offset + n_bytes, extent.sums_sha256, size)
