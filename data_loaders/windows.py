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

from data_loaders import cutting
from data_loaders.cutting import ticks
from data_loaders.ids import encode_id
from data_loaders.played import stimuli
from data_loaders.store import Store


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
        spans = self._segments(store) if self.trial_type is None else self._events(store, self.trial_type)
        before, after = _reach(extent, spans.sfreq)
        stride = np.maximum(1, ticks(self.stride, spans.sfreq))
        count = np.maximum(0, (spans.stop - spans.start - (before + after)) // stride + 1)
        windows = Windows(spans.recording, spans.start + before, stride, count, spans.rows, extent)
        found = _told(windows.runs(windows.count > 0), store, extent, "no segment is long enough: shorten the fields")
        _tell_short(windows, "segments" if self.trial_type is None else "events", extent)
        return found

    def _segments(self, store: Store) -> cutting.Spans:
        spans = cutting.segments(store)
        start, stop = (ticks(seconds, spans.sfreq) for seconds in self.trim)
        return replace(spans, start=spans.start + start, stop=spans.stop - stop, rows=_with_stimulus(spans.rows, store))

    def _events(self, store: Store, trial_type: str) -> cutting.Spans:
        return cutting.parts(store, _matching(store, trial_type, store.events))


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
        windows = _around(store, cutting.in_order(events), extent)
        return _told(windows, store, extent, "every event is too near a border: shorten the fields", len(events))

    def _chosen(self, store: Store) -> pd.DataFrame:
        events = store.events if self.query is None else store.events.query(self.query)
        return events if self.trial_type is None else _matching(store, self.trial_type, events)


class Whole(Rule):
    """One window per segment: scans, connectomes, whole-series inference. Its fields stop at `.inf`, the segment's end."""

    def cut(self, store: Store, extent: tuple[float, float]) -> Windows:
        spans, (_, seconds) = cutting.segments(store), store.segments
        first, ones = spans.start - ticks(extent[0], spans.sfreq), np.ones(len(spans.start), dtype=np.int64)
        longest = float(np.ptp(seconds, axis=1).max(initial=0.0))
        return Windows(spans.recording, first, ones, ones, spans.rows, (extent[0], min(extent[1], longest + extent[0])))


def _asked(query: str | None) -> str:
    return f" (query {query!r})" if query else ""


def _matching(store: Store, trial_type: str, events: pd.DataFrame) -> pd.DataFrame:
    """The events whose trial_type fits one of the patterns. Raises ValueError with the types there are."""
    patterns = trial_type.split("|")
    kinds = [str(kind) for kind in events.get("trial_type", pd.Series("", index=events.index))]
    fits = {kind: any(fnmatchcase(kind, pattern) for pattern in patterns) for kind in set(kinds)}
    chosen = events[[fits[kind] for kind in kinds]]
    if chosen.empty:
        known = sorted(fits)
        raise ValueError(
            f"{store.path}: no event matches {trial_type!r}; the trial types are {known[:20]}: name one of them in windows"
        )
    return chosen


def _with_stimulus(rows: pd.DataFrame, store: Store) -> pd.DataFrame:
    """Rows of all segments with what was played in each, where events tell."""
    found = stimuli(store.events, *store.segments) if "stim_file" in store.event_columns else None
    return rows if found is None else rows.assign(**{str(name): found[name] for name in found})


def _around(store: Store, events: pd.DataFrame, extent: tuple[float, float]) -> Windows:
    """A window at each event that is far enough from the borders of its segment."""
    recording, whole = events["recording"].to_numpy(dtype=np.int64), cutting.segments(store)
    sfreq = cutting.sfreqs(store, recording)
    before, after = _reach(extent, sfreq)
    anchor = ticks(events["onset"].to_numpy(dtype=float), sfreq)
    segment = cutting.segment_at(whole, recording, anchor)
    inside = (segment >= 0) & (anchor - before >= whole.start[segment]) & (anchor + after <= whole.stop[segment])
    number = np.where(segment >= 0, whole.rows["segment"].to_numpy()[segment], -1)[inside]
    rows, ones = cutting.known(store, events[inside], number), np.ones(int(inside.sum()), dtype=np.int64)
    return Windows(recording[inside], anchor[inside], ones, ones, rows, extent)


def _reach(extent: tuple[float, float], sfreq: ndarray) -> tuple[Int[ndarray, "run"], Int[ndarray, "run"]]:
    """Samples that a window needs before its anchor and from it on."""
    if not math.isfinite(extent[1] - extent[0]):
        raise ValueError(
            f"fields reach over [{extent[0]:g}, {extent[1]:g}) s: give them a finite stop, or cut windows with Whole"
        )
    return -ticks(extent[0], sfreq), ticks(extent[1], sfreq)


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
