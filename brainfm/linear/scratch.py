"""Rows gathered batch by batch: in memory while they are few, on disk beyond, and in the order of their windows."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

_IN_MEMORY = 2**30  # bytes


class Scratch:
    """Collects rows of one width; `rows` gives them all, as an array or a memory map. Its folder goes with it."""

    def __init__(self, in_memory: int = _IN_MEMORY) -> None:
        self._parts: list[ndarray] = []
        self._limit, self._held, self._shape = in_memory, 0, (0, 0)
        self._folder: Path | None = None

    def add(self, rows: Float[ndarray, "row column"]) -> None:
        """Takes some rows, as float32."""
        self._parts.append(np.ascontiguousarray(rows, dtype=np.float32))
        self._held += self._parts[-1].nbytes
        self._shape = (self._shape[0] + len(rows), rows.shape[1])
        if self._held > self._limit:
            self._spill()

    def rows(self, order: Int[ndarray, "row"]) -> Float[ndarray, "row column"]:
        """All rows, in this order."""
        if self._folder is None:
            return np.concatenate(self._parts)[order]
        self._spill()
        raw = np.memmap(self._file, np.float32, "r", shape=self._shape)
        if (np.diff(order) > 0).all():
            return raw
        target = np.lib.format.open_memmap(self._file.with_name("ordered.npy"), "w+", np.float32, self._shape)
        for start in range(0, len(order), 1024):
            target[start : start + 1024] = raw[order[start : start + 1024]]
        return target

    @property
    def _file(self) -> Path:
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="brainfm-rows-"))
            # a map of a file stays readable when the file has gone
            weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        return self._folder / "rows.bin"

    def _spill(self) -> None:
        with open(self._file, "ab") as file:
            for part in self._parts:
                file.write(part.tobytes())
        self._parts, self._held = [], 0
