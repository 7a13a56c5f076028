"""The store: one HDF5 file per recording, and a catalog that knows every byte, so that planning opens no file."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from jaxtyping import Float, Int
from numpy import ndarray

from data_loaders.bucket.address import is_remote, local
from data_loaders.catalog import CATALOG, EVENTS, Catalog, Entry, StreamInfo
from data_loaders.contracts import Spikes
from data_loaders.extents import Bytes, Extent, Stretch
from data_loaders.features import Feature, Features
from data_loaders.place import content_of


class Store:
    """Reads what `brainfm prepare` wrote, in a folder or behind an address. Thread-safe; holds no signal in memory.

    An address (s3://, gs://, https://) is opened by fsspec with `storage_options`, and read through a cache on this machine
    (docs/guides/buckets.md). Raises FileNotFoundError where there is no catalog, and ValueError where a file is not the one
    the catalog describes.
    """

    def __init__(
        self,
        path: str | Path,
        content: Bytes | None = None,
        storage_options: Mapping[str, Any] | None = None,
        features: Features | None = None,
    ) -> None:
        self.path = str(path) if is_remote(path) else local(path)
        self._options = storage_options
        try:
            self.content = content or content_of(self.path, storage_options)
            self._catalog = Catalog(self.content.table(CATALOG), f"{self.path}/{CATALOG}")
        except FileNotFoundError as error:
            raise FileNotFoundError(
                f"{self.path} is no store (it has no {CATALOG}): make it with `brainfm prepare SOURCE {self.path}`"
            ) from error
        self.column, self.alike = self._catalog.column, self._catalog.alike
        self.features = features or Features.beside(self.content)
        self.entry = lru_cache(maxsize=None)(self._entry) if self.features.of else self._catalog.entry

    def __len__(self) -> int:
        return len(self._catalog)

    def __reduce__(self) -> tuple[type[Store], tuple[Any, ...]]:
        return Store, (self.path, None, self._options)

    @staticmethod
    def from_arrays(path: str | Path, X: ndarray, y: Any = None, *, sfreq: float, **names: Any) -> Store:
        """Makes a store of trials [trial, channel, time]; see `data_loaders.arrays.recordings` for the names."""
        from data_loaders.arrays import recordings
        from data_loaders.writer import Writer

        with Writer(path) as writer:
            for recording in recordings(X, y, sfreq=sfreq, **names):
                writer.write(recording)
        return Store(path)

    @property
    def catalog(self) -> pd.DataFrame:
        """One row per recording: names, entities, rates, lengths, checksums, and where its signal or spikes lie."""
        return self._catalog.table

    @cached_property
    def events(self) -> pd.DataFrame:
        """The events of all recordings, in the catalog's order: `recording`, `onset` and what else was noted. Read when asked for."""
        return pd.read_parquet(self.content.table(EVENTS))

    @cached_property
    def event_columns(self) -> list[str]:
        """What is known of events, without reading them."""
        return list(pq.read_schema(self.content.table(EVENTS)).names)

    def events_of(self, recording: int) -> pd.DataFrame:
        """The events of one recording, from its own first row."""
        low, high = np.searchsorted(self.events["recording"].to_numpy(), (recording, recording + 1))
        return self.events.iloc[low:high].drop(columns="recording").reset_index(drop=True)

    @property
    def segments(self) -> tuple[Int[ndarray, "segment"], Float[ndarray, "segment 2"]]:
        """The recording and the [start, stop) seconds of every segment of the store."""
        return self._catalog.segments

    @cached_property
    def streams(self) -> list[Mapping[str, StreamInfo]]:
        """The streams of every recording, features among them."""
        own = self.column("streams")
        if not self.features.of:
            return own
        return [self.features.streams(*named) for named in zip(self.catalog["name"], own, strict=True)]

    def signal(
        self, recording: int, start: int, stop: int, out: ndarray | None = None
    ) -> Float[ndarray, "time channel"]:
        """Samples [start, stop) in SI units, float32; written into `out` where given."""
        entry = self.entry(recording)
        raw = self.raw(recording, "signal", start, stop)
        out = np.empty(raw.shape, np.float32) if out is None else out
        if entry.gain is None or entry.offset is None:
            np.copyto(out, raw)
        else:
            np.multiply(raw, entry.gain.astype(np.float32), out=out)
            out += entry.offset.astype(np.float32)
        return out

    def raw(self, recording: int, dataset: str, start: int, stop: int) -> ndarray:
        """Rows [start, stop) of a dataset, as they lie on disk; like a slice, they end where the dataset ends."""
        extent = self._extent(recording, dataset)
        start, stop, _ = slice(start, stop).indices(extent.shape[0])
        out = np.empty((max(0, stop - start), *extent.shape[1:]), extent.dtype)
        feature = self._feature(recording, dataset)
        content = self.content if feature is None else feature.content
        content.read(self.stretch(recording, dataset, start, start + len(out)), out)
        return out

    def stretch(self, recording: int, dataset: str, start: int, stop: int) -> Stretch:
        """Where rows [start, stop) of a dataset lie. Raises ValueError with the datasets there are, or where it has no such rows."""
        entry, feature = self.entry(recording), self._feature(recording, dataset)
        at, extent = feature or entry, self._extent(recording, dataset) if feature is None else feature.extent
        if not 0 <= start <= stop <= extent.shape[0]:
            raise ValueError(
                f"{entry.name}: {dataset} has the samples [0, {extent.shape[0]}), asked for [{start}, {stop}): shorten the fields"
            )
        return Stretch(at.file, at.size, extent, start, stop)

    def rows(self, recording: int, dataset: str, index: Int[ndarray, "item"]) -> ndarray:
        """Single rows of a dataset, by number: labels at anchors, say. The dataset is a short one."""
        return self._whole(recording, dataset)[index]

    def stream(self, recording: int, name: str, start: int, stop: int) -> ndarray:
        """Samples [start, stop) of a named stream, on its own clock."""
        return self.raw(recording, f"streams/{name}", start, stop)

    def spikes(self, recording: int, start: float, stop: float) -> Spikes:
        """Spikes in [start, stop) seconds of the recording."""
        times, channels = self._whole(recording, "spikes/times"), self._whole(recording, "spikes/channels")
        low, high = np.searchsorted(times, (start, stop))
        return Spikes(np.asarray(times[low:high]), np.asarray(channels[low:high]))

    def spikes_of_many(
        self, recording: int, start: Float[ndarray, "row"], stop: Float[ndarray, "row"]
    ) -> tuple[Int[ndarray, "spike"], Spikes]:
        """Spikes of several stretches [start, stop), and the row of each."""
        times, channels = self._whole(recording, "spikes/times"), self._whole(recording, "spikes/channels")
        low, high = np.searchsorted(times, start), np.searchsorted(times, stop)
        count = high - low
        row = np.repeat(np.arange(len(low)), count)
        index = np.arange(count.sum()) + np.repeat(low - np.cumsum(count) + count, count)
        return row, Spikes(times[index], channels[index])

    def _entry(self, recording: int) -> Entry:
        return self.features.added(self._catalog.entry(recording))

    def _feature(self, recording: int, dataset: str) -> Feature | None:
        return self.features.find(self.entry(recording).name, dataset) if self.features.of else None

    def _whole(self, recording: int, dataset: str) -> ndarray:
        entry, feature = self.entry(recording), self._feature(recording, dataset)
        if feature is not None:
            return feature.content.whole(feature.file, feature.size, feature.extent)
        return self.content.whole(entry.file, entry.size, self._extent(recording, dataset))

    def _extent(self, recording: int, dataset: str) -> Extent:
        entry = self.entry(recording)
        if dataset not in entry.extents:
            raise ValueError(
                f"{entry.name} has no {dataset!r}; it has {sorted(entry.extents)}: name one of these as the field's source"
            )
        return entry.extents[dataset]
