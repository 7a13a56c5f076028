"""Windows: which stretches of which recordings a model sees, as columns, so that a billion cost nothing."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import cached_property

import numpy as np
import pandas as pd
from jaxtyping import Int
from numpy import ndarray

from data_loaders.catalog import Entry
from data_loaders.played import stimuli
from data_loaders.store import Store

# a window id is recording * 2**40 + anchor: the same in every split, order and rank, and short enough for int64
_ANCHOR_BITS = 40


@dataclass(frozen=True, eq=False)
class Windows:
    """Runs of equally spaced windows: run r holds the anchors `first[r] + stride[r] * k`, k < count[r].

    An event is a run of one; tiling a segment is one run, so memory grows with segments, never with windows.
    `metadata` has one row per run (subject, session, run, task, segment, and the event's columns). An anchor is a
    sample of the recording's clock; a window reaches over `extent` seconds around it.
    """

    recording: Int[ndarray, "run"]
    first: Int[ndarray, "run"]
    stride: Int[ndarray, "run"]
    count: Int[ndarray, "run"]
    metadata: pd.DataFrame
    extent: tuple[float, float]

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    @cached_property
    def _ends(self) -> Int[ndarray, "run"]:
        return np.cumsum(self.count)

    def locate(self, index: Int[ndarray, "item"]) -> tuple[Int[ndarray, "item"], Int[ndarray, "item"]]:
        """The run and the anchor of each window, by position in this table."""
        run = np.searchsorted(self._ends, index, side="right")
        step = index - (self._ends[run] - self.count[run])
        return run, self.first[run] + step * self.stride[run]

    def ids(self, index: Int[ndarray, "item"] | None = None) -> Int[ndarray, "item"]:
        """The permanent id of each window: recording * 2**40 + anchor."""
        index = np.arange(len(self)) if index is None else index
        run, anchor = self.locate(index)
        return encode_id(self.recording[run], anchor)

    def column(self, name: str, index: Int[ndarray, "item"] | None = None) -> ndarray:
        """One column of the metadata, for each window."""
        index = np.arange(len(self)) if index is None else index
        return self.metadata[name].to_numpy()[self.locate(index)[0]]

    def runs(self, keep: ndarray) -> Windows:
        """The runs that a mask or an index keeps."""
        changes = {name: getattr(self, name)[keep] for name in ("recording", "first", "stride", "count")}
        return replace(self, **changes, metadata=self.metadata.iloc[_positions(keep)].reset_index(drop=True))

    def between(self, low: Int[ndarray, "run"], high: Int[ndarray, "run"]) -> Windows:
        """Cuts each run to the anchors in [low, high), given per run; empty runs go."""
        skip = np.maximum(0, -(-(low - self.first) // self.stride))
        stop = np.clip(-(-(high - self.first) // self.stride), 0, self.count)
        count = np.maximum(0, stop - np.minimum(skip, self.count))
        cut = replace(self, first=self.first + skip * self.stride, count=count)
        return cut.runs(count > 0)

    def take(self, index: Int[ndarray, "item"]) -> Windows:
        """The windows at these positions, as runs of one."""
        run, anchor = self.locate(index)
        ones = np.ones(len(index), dtype=np.int64)
        rows = self.metadata.iloc[run].reset_index(drop=True)
        return Windows(self.recording[run], anchor, ones, ones, rows, self.extent)


def encode_id(recording: Int[ndarray, "item"], anchor: Int[ndarray, "item"]) -> Int[ndarray, "item"]:
    """The permanent id of the window at an anchor of a recording: `recording * 2**40 + anchor`."""
    return (recording << _ANCHOR_BITS) + anchor


def decode_id(window_id: Int[ndarray, "item"]) -> tuple[Int[ndarray, "item"], Int[ndarray, "item"]]:
    """The recording and the anchor that a window id stands for.

    >>> decode_id(np.array([(3 << 40) + 250]))
    (array([3]), array([250]))
    """
    return window_id >> _ANCHOR_BITS, window_id & ((1 << _ANCHOR_BITS) - 1)


def concatenate(parts: list[Windows]) -> Windows:
    """All runs of several tables, in order."""
    joined = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in ("recording", "first", "stride", "count")
    }
    metadata = pd.concat([part.metadata for part in parts], ignore_index=True)
    return Windows(**joined, metadata=metadata, extent=parts[0].extent)


class Rule(ABC):
    """How windows are cut: a recipe's `data.windows`."""

    @abstractmethod
    def cut(self, store: Store, extent: tuple[float, float]) -> Windows:
        """All windows of a store that reach over `extent` seconds around their anchors without crossing a border."""


class Tile(Rule):
    """One window every `stride` seconds, from the start of each segment.

    With `trial_type`, a pattern such as `rest|task*`, windows lie within the spans of the matching events and carry the
    event's columns: sleep stages, blocks, conditions. Without it they have the columns `stimulus` and `stimulus_onset` where
    an event with a `stim_file` lasts as long as the segment (`data_loaders.played`). `trim` leaves out that many seconds at
    the start and at the end of each segment, where filters and onsets leave artefacts.
    """

    def __init__(self, stride: float, trial_type: str | None = None, trim: tuple[float, float] = (0.0, 0.0)) -> None:
        if stride <= 0:
            raise ValueError(f"stride is {stride:g} s, expected a positive number of seconds, such as 2.0")
        if min(trim) < 0:
            raise ValueError(f"trim is {trim} s, expected how much to leave out at both ends, such as [20.0, 10.0]")
        self.stride, self.trial_type, self.trim = stride, trial_type, trim

    def cut(self, store: Store, extent: tuple[float, float]) -> Windows:
        events = None if self.trial_type is None else _matching(store, self.trial_type, store.events)
        parts = [self._tiled(store, recording, events, extent) for recording in range(len(store))]
        windows = concatenate(parts)
        found = _told(windows.runs(windows.count > 0), store, extent, "no segment is long enough: shorten the fields")
        _tell_short(windows, "segments" if events is None else "events", extent)
        return found

    def _tiled(self, store: Store, recording: int, events: pd.DataFrame | None, extent: tuple[float, float]) -> Windows:
        entry = store.entry(recording)
        start, stop, rows = _spans(entry, None if events is None else events[events["recording"] == recording])
        if events is None:
            rows = _with_stimulus(rows, store, recording)
            start, stop = start + round(self.trim[0] * entry.sfreq), stop - round(self.trim[1] * entry.sfreq)
        before, after = _reach(extent, entry.sfreq)
        stride = np.full(len(start), max(1, round(self.stride * entry.sfreq)))
        count = np.maximum(0, (stop - start - (before + after)) // stride + 1)
        return Windows(np.full(len(start), recording), start + before, stride, count, rows, extent)


class Around(Rule):
    """One window per event; `trial_type` is a pattern such as `left/*|right/*`, `query` a pandas query on events.

    An event too near a border of its segment has no window: their number is printed.
    """

    def __init__(self, trial_type: str | None = None, query: str | None = None) -> None:
        self.trial_type, self.query = trial_type, query

    def cut(self, store: Store, extent: tuple[float, float]) -> Windows:
        events = self._chosen(store)
        if events.empty:
            raise ValueError(
                f"{store.path}: there is no event to cut windows around{_asked(self.query)}: use Tile, or mend the events"
            )
        parts = [
            _events_of(store, int(r), events[events["recording"] == r], extent) for r in events["recording"].unique()
        ]
        return _told(
            concatenate(parts), store, extent, "every event is too near a border: shorten the fields", len(events)
        )

    def _chosen(self, store: Store) -> pd.DataFrame:
        events = store.events if self.query is None else store.events.query(self.query)
        return events if self.trial_type is None else _matching(store, self.trial_type, events)


class Whole(Rule):
    """One window per segment: scans, connectomes, whole-series inference. Its fields stop at `.inf`, the segment's end."""

    def cut(self, store: Store, extent: tuple[float, float]) -> Windows:
        parts, longest = [], 0.0
        for recording in range(len(store)):
            entry = store.entry(recording)
            first = np.round(entry.segments[:, 0] * entry.sfreq).astype(np.int64) - round(extent[0] * entry.sfreq)
            ones, rows = np.ones(len(first), dtype=np.int64), pd.DataFrame([entry.entities] * len(first))
            rows = rows.assign(segment=np.arange(len(first)), sfreq=entry.sfreq)
            longest = max(longest, float(np.ptp(entry.segments, axis=1).max()))
            parts.append(Windows(ones * recording, first, ones, ones, rows, extent))
        reach = (extent[0], min(extent[1], longest + extent[0]))
        return replace(concatenate(parts), extent=reach)


def _asked(query: str | None) -> str:
    return f" (query {query!r})" if query else ""


def _matching(store: Store, trial_type: str, events: pd.DataFrame) -> pd.DataFrame:
    """The events whose trial_type fits one of the patterns. Raises ValueError with the types there are."""
    patterns = trial_type.split("|")
    kinds = events.get("trial_type", pd.Series("", index=events.index))
    chosen = events[[any(fnmatchcase(str(kind), pattern) for pattern in patterns) for kind in kinds]]
    if chosen.empty:
        known = sorted({str(kind) for kind in kinds})
        raise ValueError(
            f"{store.path}: no event matches {trial_type!r}; the trial types are {known[:20]}: name one of them in windows"
        )
    return chosen


def _spans(entry: Entry, events: pd.DataFrame | None) -> tuple[ndarray, ndarray, pd.DataFrame]:
    """Segments, or the parts of events that lie in one segment each, as samples, with their metadata."""
    borders = np.round(entry.segments * entry.sfreq).astype(np.int64)
    if events is None:
        rows = pd.DataFrame([entry.entities] * len(borders)).assign(segment=np.arange(len(borders)), sfreq=entry.sfreq)
        return borders[:, 0], borders[:, 1], rows
    start = np.round(events["onset"].to_numpy(dtype=float) * entry.sfreq).astype(np.int64)
    stop = start + np.round(events["duration"].to_numpy(dtype=float) * entry.sfreq).astype(np.int64)
    event, segment = np.nonzero((start[:, None] < borders[:, 1]) & (stop[:, None] > borders[:, 0]))
    rows = events.iloc[event].drop(columns="recording").reset_index(drop=True)
    rows = rows.assign(**entry.entities, segment=segment, sfreq=entry.sfreq)
    return np.maximum(start[event], borders[segment, 0]), np.minimum(stop[event], borders[segment, 1]), rows


def _with_stimulus(rows: pd.DataFrame, store: Store, recording: int) -> pd.DataFrame:
    """Rows of segments with what was played in each, where events tell."""
    if "stim_file" not in store.event_columns:
        return rows
    found = stimuli(store.events_of(recording), store.entry(recording).segments)
    return rows if found is None else rows.assign(**{name: found[name].to_numpy() for name in found})


def _events_of(store: Store, recording: int, events: pd.DataFrame, extent: tuple[float, float]) -> Windows:
    entry = store.entry(recording)
    before, after = _reach(extent, entry.sfreq)
    anchor = np.round(events["onset"].to_numpy(dtype=float) * entry.sfreq).astype(np.int64)
    start, stop = np.round(entry.segments * entry.sfreq).astype(np.int64).T
    segment = np.searchsorted(start, anchor, side="right") - 1
    inside = (segment >= 0) & (anchor - before >= start[segment]) & (anchor + after <= stop[segment])
    rows = (
        events.drop(columns="recording")
        .assign(**entry.entities, segment=segment, sfreq=entry.sfreq)
        .reset_index(drop=True)
    )
    ones = np.ones(len(anchor), dtype=np.int64)
    return Windows(ones * recording, anchor, ones, ones, rows, extent).runs(inside)


def _reach(extent: tuple[float, float], sfreq: float) -> tuple[int, int]:
    """Samples that a window needs before its anchor and from it on."""
    if not math.isfinite(extent[1] - extent[0]):
        raise ValueError(
            f"fields reach over [{extent[0]:g}, {extent[1]:g}) s: give them a finite stop, or cut windows with Whole"
        )
    return -round(extent[0] * sfreq), round(extent[1] * sfreq)


def _tell_short(windows: Windows, what: str, extent: tuple[float, float]) -> None:
    """Says of which segments (or spans of events) nothing is used, because no window fits between their borders."""
    short = windows.count == 0
    if short.any():
        names = ", ".join(dict.fromkeys(windows.metadata["recording_name"][short].astype(str).head(100)))
        print(
            f"windows: {short.sum()} of {len(short)} {what} have no room for a window of [{extent[0]:g}, {extent[1]:g}) s and are left "
            f"out: {names[:200]}"
        )


def _told(windows: Windows, store: Store, extent: tuple[float, float], repair: str, asked: int = 0) -> Windows:
    if len(windows) == 0:
        raise ValueError(f"{store.path}: no window of [{extent[0]:g}, {extent[1]:g}) s fits: {repair}")
    if asked > len(windows):
        print(
            f"windows: {asked - len(windows)} of {asked} events are too near a border of their segment and have no window"
        )
    return windows


def _positions(keep: ndarray) -> ndarray:
    return np.flatnonzero(keep) if keep.dtype == bool else keep
