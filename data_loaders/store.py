"""The store: one HDF5 file per recording, and a catalog that knows every byte, so that planning opens no file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from numpy import ndarray

from data_loaders.contracts import Spikes

CATALOG, EVENTS = "catalog.parquet", "events.parquet"


@dataclass(frozen=True)
class Extent:
    """Where a dataset lies in its file: a window is one range of bytes."""

    offset: int
    dtype: str
    shape: tuple[int, ...]
    sha256: str


@dataclass(frozen=True)
class StreamInfo:
    """What the catalog knows of a named stream. `shape[0]` counts samples."""

    sfreq: float
    start: float
    shape: tuple[int, ...]
    names: tuple[str, ...]
    unit: str


@dataclass(frozen=True)
class Entry:
    """All that the catalog holds of one recording; `sha256` is of its signal, or of its spike times."""

    name: str
    file: str
    entities: dict[str, str]
    sfreq: float
    duration: float
    ch_names: tuple[str, ...]
    ch_types: tuple[str, ...]
    units: tuple[str, ...]
    ch_positions: Float[ndarray, "channel 3"]
    ch_columns: dict[str, tuple[Any, ...]]
    space: dict[str, Any]
    bads: tuple[str, ...]
    segments: Float[ndarray, "segment 2"]
    demographics: dict[str, Any]
    streams: dict[str, StreamInfo]
    extents: dict[str, Extent]
    gain: Float[ndarray, "channel"] | None
    offset: Float[ndarray, "channel"] | None
    sha256: str
    size: int
    source: str
    key: str
    decisions: tuple[str, ...]
    history: tuple[dict[str, Any], ...]

    @property
    def n_times(self) -> int:
        """Ticks of the recording's clock."""
        return round(self.duration * self.sfreq)

    @property
    def has_spikes(self) -> bool:
        """True where the channels are units with spike times."""
        return "spikes/times" in self.extents


class Store:
    """Reads a folder that `brainfm prepare` wrote. Thread-safe; holds no signal in memory.

    Raises FileNotFoundError where there is no catalog, and ValueError where a file is not the one the catalog describes.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not (self.path / CATALOG).is_file():
            raise FileNotFoundError(
                f"{self.path} is no store (it has no {CATALOG}): make it with `brainfm prepare SOURCE {self.path}`"
            )
        self.catalog = pd.read_parquet(self.path / CATALOG)
        self.events = pd.read_parquet(self.path / EVENTS)
        self.entry = lru_cache(maxsize=None)(self._entry)
        self._map = lru_cache(maxsize=512)(self._open)

    def __len__(self) -> int:
        return len(self.catalog)

    def __reduce__(self) -> tuple[type[Store], tuple[Path]]:
        return Store, (self.path,)

    @staticmethod
    def from_arrays(path: str | Path, X: ndarray, y: Any = None, *, sfreq: float, **names: Any) -> Store:
        """Makes a store of trials [trial, channel, time]; see `data_loaders.arrays.recordings` for the names."""
        from data_loaders.arrays import recordings
        from data_loaders.writer import Writer

        with Writer(path) as writer:
            for recording in recordings(X, y, sfreq=sfreq, **names):
                writer.write(recording)
        return Store(path)

    def signal(
        self, recording: int, start: int, stop: int, out: ndarray | None = None
    ) -> Float[ndarray, "time channel"]:
        """Samples [start, stop) in SI units, float32; written into `out` where given."""
        entry, raw = self.entry(recording), self._map(recording, "signal")[start:stop]
        out = np.empty(raw.shape, np.float32) if out is None else out
        if entry.gain is None or entry.offset is None:
            np.copyto(out, raw)
        else:
            np.multiply(raw, entry.gain.astype(np.float32), out=out)
            out += entry.offset.astype(np.float32)
        return out

    def stream(self, recording: int, name: str, start: int, stop: int) -> ndarray:
        """Samples [start, stop) of a named stream, on its own clock."""
        return self._map(recording, f"streams/{name}")[start:stop]

    def spikes(self, recording: int, start: float, stop: float) -> Spikes:
        """Spikes in [start, stop) seconds of the recording."""
        times, channels = self._map(recording, "spikes/times"), self._map(recording, "spikes/channels")
        low, high = np.searchsorted(times, (start, stop))
        return Spikes(np.asarray(times[low:high]), np.asarray(channels[low:high]))

    def spikes_of_many(
        self, recording: int, start: Float[ndarray, "row"], stop: Float[ndarray, "row"]
    ) -> tuple[Int[ndarray, "spike"], Spikes]:
        """Spikes of several stretches [start, stop), and the row of each."""
        times, channels = self._map(recording, "spikes/times"), self._map(recording, "spikes/channels")
        low, high = np.searchsorted(times, start), np.searchsorted(times, stop)
        count = high - low
        row = np.repeat(np.arange(len(low)), count)
        index = np.arange(count.sum()) + np.repeat(low - np.cumsum(count) + count, count)
        return row, Spikes(times[index], channels[index])

    def _entry(self, recording: int) -> Entry:
        return entry_of(json.loads(self.catalog["header"].iat[recording]))

    def _open(self, recording: int, dataset: str) -> ndarray:
        entry = self.entry(recording)
        if dataset not in entry.extents:
            raise ValueError(
                f"{entry.name} has no {dataset!r}; it has {sorted(entry.extents)}: name one of these as the field's source"
            )
        extent, file = entry.extents[dataset], self.path / entry.file
        if not file.is_file() or file.stat().st_size != entry.size:
            raise ValueError(
                f"{file} is missing or not the file in the catalog ({entry.size:,} bytes): run `brainfm prepare` again"
            )
        if 0 in extent.shape:
            return np.zeros(extent.shape, extent.dtype)
        # a plain view: the memmap class costs a Python call for each slice
        return np.memmap(file, extent.dtype, "r", extent.offset, extent.shape).view(np.ndarray)


def entry_of(header: Mapping[str, Any]) -> Entry:
    """An Entry from the header that lies in each file and, again, in the catalog."""
    arrays = {name: _array(header[name]) for name in ("gain", "offset")}
    tuples = {name: tuple(header[name]) for name in ("ch_names", "ch_types", "units", "bads", "decisions", "history")}
    extents = {k: Extent(**{**v, "shape": tuple(v["shape"])}) for k, v in header["extents"].items()}
    streams = {
        k: StreamInfo(**{**v, "shape": tuple(v["shape"]), "names": tuple(v["names"])})
        for k, v in header["streams"].items()
    }
    columns = {name: tuple(column) for name, column in header.get("ch_columns", {}).items()}
    positions = np.asarray(header["ch_positions"], dtype=float).reshape(-1, 3)
    segments = np.asarray(header["segments"], dtype=float).reshape(-1, 2)
    return Entry(
        **{
            **header,
            **arrays,
            **tuples,
            "extents": extents,
            "streams": streams,
            "ch_positions": positions,
            "ch_columns": columns,
            "space": dict(header.get("space", {})),
            "segments": segments,
        }
    )


def _array(values: list[float] | None) -> Float[ndarray, "channel"] | None:
    return None if values is None else np.asarray(values, dtype=float)
