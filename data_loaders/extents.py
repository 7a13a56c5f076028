"""Where the bytes of a store come from: the one seam through which every sample is read, from a disk or from a bucket."""

from __future__ import annotations

import math
import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from data_loaders.reads import Opened, Pieces

# file descriptors and maps that stay open; what falls out is closed when its last reader has let go
_OPEN = 256
# bytes that are asked for at once: a bound on the blocks of a bucket that are open together
TOGETHER = 1 << 26


@dataclass(frozen=True)
class Extent:
    """Where a dataset lies in its file: a window is one range of bytes.

    A dataset longer than a block (`data_loaders.bucket.blocks`) has a list of its blocks' checksums in the same file, which
    begins at byte `sums_offset` and whose own checksum is `sums_sha256`.
    """

    offset: int
    dtype: str
    shape: tuple[int, ...]
    sha256: str
    sums_offset: int = 0
    sums_sha256: str = ""

    def __hash__(self) -> int:
        # asked for at every window: what a checksum and a place do not tell apart, the comparison does
        return hash((self.sha256, self.offset))

    @cached_property
    def row_bytes(self) -> int:
        """Bytes of one sample over all channels."""
        return np.dtype(self.dtype).itemsize * math.prod(self.shape[1:])

    @property
    def n_bytes(self) -> int:
        """Bytes of all of it."""
        return self.row_bytes * self.shape[0]


class Place(NamedTuple):
    """A dataset of a file that has `size` bytes."""

    file: str
    size: int
    extent: Extent


class Stretch(NamedTuple):
    """Rows [start, stop) of a dataset of a file that has `size` bytes."""

    file: str
    size: int
    extent: Extent
    start: int
    stop: int


class Stretches(NamedTuple):
    """Windows of several datasets: window w is the rows [start[w], stop[w]) of `places[of[w]]`."""

    places: Sequence[Place]
    of: Int[ndarray, "window"]
    start: Int[ndarray, "window"]
    stop: Int[ndarray, "window"]


class Bytes(ABC):
    """The files of a store, by names relative to it. Thread-safe; memory does not grow with what was read.

    Raises ValueError where a file is not the one the catalog describes.
    """

    # True where `prefetch` does something: a disk has nothing to prepare
    looks_ahead: bool = False

    @abstractmethod
    def table(self, name: str) -> Any:
        """A parquet file of the store, as a path or an open file. Raises FileNotFoundError where there is none."""

    @abstractmethod
    def pieces(self, asked: Stretches) -> Pieces:
        """Where the bytes of stretches lie. What is far away is brought first."""

    def read(self, stretch: Stretch, out: ndarray) -> None:
        """Fills `out`, contiguous and of the extent's dtype, with the rows of a stretch."""
        if not out.size:
            return
        place, row_bytes, memory = Place(*stretch[:3]), stretch.extent.row_bytes, out.reshape(-1).view(np.uint8)
        step = max(1, TOGETHER // row_bytes)
        for low in range(stretch.start, stretch.stop, step):
            high = min(low + step, stretch.stop)
            asked = Stretches([place], np.zeros(1, np.int64), np.array([low]), np.array([high]))
            self.pieces(asked).read(0, [memory[(low - stretch.start) * row_bytes : (high - stretch.start) * row_bytes]])

    @abstractmethod
    def whole(self, file: str, size: int, extent: Extent) -> ndarray:
        """All rows of a dataset, read-only: for searching in spike times and for short streams, never for signals."""

    def prefetch(self, file: str, size: int, extent: Extent, starts: ndarray, stops: ndarray) -> None:  # noqa: B027  (see `looks_ahead`)
        """Says that rows [start, stop) of a dataset will be read soon, so that many requests can be under way at once."""


class Local(Bytes):
    """A folder. Windows are read straight to where they are wanted.

    Not through a map: pages of a map count as this process's memory, which would grow with every recording touched.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = lru_cache(maxsize=_OPEN)(self._opened)
        self._map = lru_cache(maxsize=_OPEN)(self._mapped)

    def table(self, name: str) -> Path:
        if not (self.path / name).is_file():
            raise FileNotFoundError(self.path / name)
        return self.path / name

    def pieces(self, asked: Stretches) -> Pieces:
        places, of, start, stop = asked
        files = [self._file(place.file, place.size) for place in places]
        first, row_bytes = np.array([(place.extent.offset, place.extent.row_bytes) for place in places]).T[:, of]
        none = np.zeros(len(of), np.int64)
        return Pieces(files, of, first + start * row_bytes, (stop - start) * row_bytes, np.arange(len(of)), none)

    def whole(self, file: str, size: int, extent: Extent) -> ndarray:
        return self._map(file, size, extent)

    def _mapped(self, file: str, size: int, extent: Extent) -> ndarray:
        self._file(file, size)
        if 0 in extent.shape:
            return np.zeros(extent.shape, extent.dtype)
        # a plain view: the memmap class costs a Python call for each slice
        return np.memmap(self.path / file, extent.dtype, "r", extent.offset, extent.shape).view(np.ndarray)

    def _opened(self, file: str, size: int) -> Opened:
        path = self.path / file
        if not path.is_file() or path.stat().st_size != size:
            raise ValueError(
                f"{path} is missing or not the file in the catalog ({size:,} bytes): run `brainfm prepare` again"
            )
        return Opened(str(path), os.open(path, os.O_RDONLY | os.O_CLOEXEC))
