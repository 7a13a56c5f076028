"""Whole series: the longest stretches of a part, for inference in one pass, encoding models and rollouts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from jaxtyping import Bool
from numpy import ndarray

from data_loaders.contracts import Field
from data_loaders.store import Store
from data_loaders.windows import Windows


@dataclass(frozen=True)
class Stretch:
    """Samples [start, stop) of a recording, within one segment."""

    recording: int
    segment: int
    start: int
    stop: int

    def seconds(self, store: Store) -> float:
        """How long it lasts."""
        return (self.stop - self.start) / store.entry(self.recording).sfreq

    def windows(self, store: Store) -> Windows:
        """One window that is anchored at its start and reaches to its end."""
        entry, one = store.entry(self.recording), np.ones(1, dtype=np.int64)
        rows = pd.DataFrame([entry.entities]).assign(segment=self.segment, sfreq=entry.sfreq)
        first = np.array([self.start])
        return Windows(one * self.recording, first, one, one, rows, (0.0, self.seconds(store)))

    def fields(self, fields: Mapping[str, Field], store: Store) -> dict[str, Field]:
        """Every field, over the whole stretch: lags belong to the model here."""
        return {name: replace(field, start=0.0, stop=self.seconds(store)) for name, field in fields.items()}


def stretches(store: Store, windows: Windows, part: Windows) -> Iterator[Stretch]:
    """The stretches that a part has to itself, recording by recording, each in order of time.

    Neighbouring windows of a segment lie in one stretch where both belong to the part. It reaches to the border of the
    segment where no other window comes in between, so a part that has all windows of a segment has the whole of it.
    """
    run, anchor = windows.locate(np.arange(len(windows)))
    recording, segment = windows.recording[run], windows.metadata["segment"].to_numpy(dtype=np.int64)[run]
    order = np.lexsort((anchor, segment, recording))
    mine = np.isin(windows.ids(), part.ids())[order]
    recording, segment, anchor = recording[order], segment[order], anchor[order]
    alone = np.r_[True, (np.diff(recording) != 0) | (np.diff(segment) != 0)]
    for group in np.split(np.arange(len(order)), np.flatnonzero(alone)[1:]):
        where = int(recording[group[0]]), int(segment[group[0]])
        yield from _within(store, *where, anchor[group], mine[group], windows.extent)


def _within(
    store: Store,
    recording: int,
    segment: int,
    anchor: ndarray,
    mine: Bool[ndarray, "window"],
    extent: tuple[float, float],
) -> Iterator[Stretch]:
    """The stretches in one segment: its windows in order, and which of them belong to the part."""
    entry = store.entry(recording)
    low, high = np.round(entry.segments[segment] * entry.sfreq).astype(np.int64).tolist()
    edges = np.flatnonzero(np.diff(np.r_[False, mine, False])).reshape(-1, 2)
    for first, stop in edges.tolist():
        begins = low if first == 0 else int(anchor[first]) + round(extent[0] * entry.sfreq)
        ends = high if stop == len(mine) else int(anchor[stop - 1]) + round(extent[1] * entry.sfreq)
        yield Stretch(recording, segment, max(low, begins), min(high, ends))
