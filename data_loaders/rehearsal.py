"""Windows as a recipe will cut them, from a summary alone: so that a split is known to work before a store exists."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterable

import numpy as np
import pandas as pd
from numpy import ndarray

from data_loaders.splits.base import Split
from data_loaders.summary import Facts, Summary
from data_loaders.windows import Windows, concatenate


def around(summary: Summary, kinds: Iterable[str], extent: tuple[float, float]) -> Windows:
    """One window per event of these trial types."""
    chosen = summary.events[summary.events["trial_type"].isin(list(kinds))]
    tables = [(int(str(index)), rows) for index, rows in chosen.groupby("recording", sort=True)]
    return concatenate([_events_of(summary.recordings[index], index, rows, extent) for index, rows in tables])


def tile(summary: Summary, stride: float, extent: tuple[float, float]) -> Windows:
    """One window every `stride` seconds of each segment."""
    return concatenate([_tiles_of(facts, index, stride, extent) for index, facts in enumerate(summary.recordings)])


def first_that_works(splits: Iterable[Split], windows: Windows, labels: ndarray | None) -> Split | None:
    """The first split whose every fold has what it needs; None where none has."""
    for split in splits:
        with contextlib.suppress(ValueError), contextlib.redirect_stdout(io.StringIO()):
            split.folds(windows, labels)
            return split
    return None


def _events_of(facts: Facts, index: int, rows: pd.DataFrame, extent: tuple[float, float]) -> Windows:
    onset = rows["onset"].to_numpy(dtype=float)
    segment = np.searchsorted(facts.segments[:, 0], onset + 1e-9, side="right") - 1
    start, stop = facts.segments[np.maximum(segment, 0)].T
    # a sample of rounding is forgiven at the border of a cut trial
    slack = 1 / facts.sfreq
    inside = (segment >= 0) & (onset + extent[0] >= start - slack) & (onset + extent[1] <= stop + slack)
    table = pd.DataFrame({"trial_type": rows["trial_type"].astype(str).to_numpy(), "segment": segment})[inside]
    ones = np.ones(int(inside.sum()), dtype=np.int64)
    first = np.round(onset[inside] * facts.sfreq).astype(np.int64)
    return Windows(ones * index, first, ones, ones, _named(table, facts), extent)


def _tiles_of(facts: Facts, index: int, stride: float, extent: tuple[float, float]) -> Windows:
    start, stop = np.round(facts.segments * facts.sfreq).astype(np.int64).T
    before, after = (round(side * facts.sfreq) for side in extent)
    step = max(1, round(stride * facts.sfreq))
    count = np.maximum(0, (stop - start - (after - before)) // step + 1)
    table = _named(pd.DataFrame({"segment": np.arange(len(start))}), facts)
    ones = np.ones(len(start), dtype=np.int64)
    return Windows(ones * index, start - before, ones * step, count, table, extent).runs(count > 0)


def _named(table: pd.DataFrame, facts: Facts) -> pd.DataFrame:
    return table.assign(**facts.entities, recording_name=facts.name, sfreq=facts.sfreq).reset_index(drop=True)
