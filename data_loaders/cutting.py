"""Where windows may lie: the segments of all recordings, and the parts of events in them, as columns of one table.

Nothing here goes from recording to recording: a store of 100,000 is cut in about the time of one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from numpy import ndarray

from data_loaders.catalog import ENTITIES
from data_loaders.ids import encode_id
from data_loaders.store import Store

# beyond any recording, and so little that a recording's own number stays readable in an id
_FAR = 1 << 38


@dataclass(frozen=True, eq=False)
class Spans:
    """Stretches [start, stop) of samples that windows may fill, in the order of recordings; `rows` says what each is."""

    recording: Int[ndarray, "span"]
    start: Int[ndarray, "span"]
    stop: Int[ndarray, "span"]
    sfreq: Float[ndarray, "span"]
    rows: pd.DataFrame


def ticks(seconds: ndarray | float, sfreq: ndarray) -> Int[ndarray, "*row"]:
    """Seconds as samples of each recording's own clock."""
    return np.round(seconds * sfreq).astype(np.int64)


def segments(store: Store) -> Spans:
    """Every segment of every recording."""
    recording, seconds = store.segments
    sfreq = sfreqs(store, recording)
    start, stop = ticks(seconds, sfreq[:, None]).T
    columns = names(store, recording) | {"segment": _numbered(recording), "sfreq": sfreq}
    return Spans(recording, start, stop, sfreq, pd.DataFrame(columns))


def parts(store: Store, events: pd.DataFrame) -> Spans:
    """The parts of events that lie in one segment each; they carry the event's columns."""
    events = in_order(events)
    recording = events["recording"].to_numpy(dtype=np.int64)
    sfreq = sfreqs(store, recording)
    start = ticks(events["onset"].to_numpy(dtype=float), sfreq)
    stop = start + ticks(events["duration"].to_numpy(dtype=float), sfreq)
    whole = segments(store)
    event, segment = _meeting(whole, recording, start, stop)
    rows = known(store, events.iloc[event], whole.rows["segment"].to_numpy()[segment])
    inside = np.maximum(start[event], whole.start[segment]), np.minimum(stop[event], whole.stop[segment])
    return Spans(recording[event], *inside, sfreq[event], rows)


def segment_at(whole: Spans, recording: Int[ndarray, "item"], sample: Int[ndarray, "item"]) -> Int[ndarray, "item"]:
    """The last segment of its recording that has begun at each sample, by position in the table; -1 where none has."""
    keys = encode_id(whole.recording, whole.start)
    at = np.searchsorted(keys, encode_id(recording, _near(sample)), side="right") - 1
    return np.where((at >= 0) & (whole.recording[at] == recording), at, -1)


def in_order(events: pd.DataFrame) -> pd.DataFrame:
    """Events recording by recording, each in the order in which they stand."""
    return events.iloc[np.argsort(events["recording"].to_numpy(), kind="stable")]


def known(store: Store, events: pd.DataFrame, segment: Int[ndarray, "event"]) -> pd.DataFrame:
    """What is known of events: their own columns, and the names and the clock of their recordings."""
    recording = events["recording"].to_numpy(dtype=np.int64)
    rows = events.drop(columns="recording").reset_index(drop=True)
    return rows.assign(**names(store, recording), segment=segment, sfreq=sfreqs(store, recording))


def names(store: Store, recording: Int[ndarray, "row"]) -> dict[str, Any]:
    """Study, subject and the other entities of recordings, and `recording_name`: a column each."""
    columns = {name: name for name in ENTITIES} | {"recording_name": "name"}
    return {name: store.catalog[column].array.take(recording) for name, column in columns.items()}


def sfreqs(store: Store, recording: Int[ndarray, "row"]) -> Float[ndarray, "row"]:
    """The clock of recordings, hertz."""
    return store.catalog["sfreq"].to_numpy(dtype=float)[recording]


def _numbered(recording: Int[ndarray, "segment"]) -> Int[ndarray, "segment"]:
    """Which segment of its recording each is, from 0 on."""
    return np.arange(len(recording)) - np.searchsorted(recording, recording)


def _meeting(
    whole: Spans, recording: Int[ndarray, "event"], start: Int[ndarray, "event"], stop: Int[ndarray, "event"]
) -> tuple[Int[ndarray, "pair"], Int[ndarray, "pair"]]:
    """Every event with every segment of its recording that it reaches into, in the order of events."""
    order = np.lexsort((whole.start, whole.recording))
    of = whole.recording[order]
    # segments from the first that lasts until the event begins to the last that has begun when it ends
    lasting = np.maximum.accumulate(encode_id(of, whole.stop[order]))
    low = np.searchsorted(lasting, encode_id(recording, _near(start)), side="right")
    high = np.searchsorted(encode_id(of, whole.start[order]), encode_id(recording, _near(stop)), side="left")
    n_near = np.maximum(high - low, 0)
    event = np.repeat(np.arange(len(start)), n_near)
    segment = order[np.arange(len(event)) + np.repeat(low - np.cumsum(n_near) + n_near, n_near)]
    # among them may be one that ended before: a segment within a longer one
    meets = (whole.recording[segment] == recording[event]) & (start[event] < whole.stop[segment])
    event, segment = event[meets], segment[meets]
    by_number = np.lexsort((segment, event))
    return event[by_number], segment[by_number]


def _near(sample: Int[ndarray, "item"]) -> Int[ndarray, "item"]:
    return np.clip(sample, -_FAR, _FAR)
