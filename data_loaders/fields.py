"""Reads one field of one window: a stretch of the signal, counts of spikes, spike events, or a stream's samples."""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray

from data_loaders.catalog import Entry, StreamInfo
from data_loaders.contracts import Events, Field, Sampled
from data_loaders.store import Store
from data_loaders.transforms.base import SignalInfo


def info_of(entry: Entry, recording: int, field: Field | None) -> SignalInfo:
    """The channels of a recording as they lie in the store, at the rate of the field."""
    sfreq = entry.sfreq if field is None or field.sfreq is None else field.sfreq
    places = (entry.ch_names, entry.ch_types, entry.ch_positions, entry.bads)
    return SignalInfo(sfreq, *places, recording, entry.ch_columns)


def stop_of(field: Field, entry: Entry, seconds: Float[ndarray, "row"]) -> Float[ndarray, "row"]:
    """Where the field ends, in seconds from the anchor: an infinite stop is the end of the anchor's segment."""
    if math.isfinite(field.stop):
        return np.full(len(seconds), field.stop)
    # in samples, for a window is anchored at the one that is nearest to the start of its segment
    starts, anchor = (np.round(time * entry.sfreq) for time in (entry.segments[:, 0], seconds))
    segment = np.searchsorted(starts, anchor, side="right") - 1
    return entry.segments[segment, 1] - seconds


def reach(entry: Entry, field: Field, anchor: int) -> tuple[int, int]:
    """The samples of the signal that a window reads."""
    start = anchor + round(field.start * entry.sfreq)
    stop = stop_of(field, entry, np.array([anchor / entry.sfreq]))[0]
    return start, start + round((float(stop) - field.start) * entry.sfreq)


def check_rate(entry: Entry, field: Field) -> None:
    """Raises ValueError where a field asks for another rate than the recording has."""
    if field.sfreq not in (None, entry.sfreq):
        raise ValueError(
            f"{entry.name} has sfreq {entry.sfreq:g} Hz but the field asks for {field.sfreq:g} Hz: add the transform Resample"
        )


def dense(store: Store, recording: int, anchors: Int[ndarray, "row"], field: Field) -> list[ndarray]:
    """Each window's signal [time, channel], or its spikes per bin; bad channels are zero."""
    if field.source != "spikes":
        return [_signal(store, recording, anchor, field) for anchor in anchors.tolist()]
    return [_counts(store, recording, anchors[[row]], field)[0] for row in range(len(anchors))]


def _signal(store: Store, recording: int, anchor: int, field: Field) -> Float[ndarray, "time channel"]:
    entry = store.entry(recording)
    check_rate(entry, field)
    signal = store.signal(recording, *reach(entry, field, anchor))
    if entry.bads:
        signal[:, [entry.ch_names.index(name) for name in entry.bads]] = 0.0
    return signal


def _counts(
    store: Store, recording: int, anchors: Int[ndarray, "row"], field: Field
) -> Float[ndarray, "row time channel"]:
    entry = store.entry(recording)
    stop = float(stop_of(field, entry, anchors / entry.sfreq)[0])
    n_times = round((stop - field.start) * (field.sfreq or entry.sfreq))
    block = np.empty((len(anchors), n_times, len(entry.ch_names)), np.float32)
    count(store, recording, anchors, field, block, np.arange(len(anchors)))
    return block


def count(
    store: Store,
    recording: int,
    anchors: Int[ndarray, "window"],
    field: Field,
    block: Float[ndarray, "row time channel"],
    rows: Int[ndarray, "window"],
) -> None:
    """Spikes per bin of windows of one length, counted in rows of a block, which may be wider and longer: zero there."""
    entry = store.entry(recording)
    sfreq = field.sfreq or entry.sfreq
    n_times = min(block.shape[1], field.n_times(sfreq) if math.isfinite(field.stop) else block.shape[1])
    start = anchors / entry.sfreq + field.start
    window, spikes = store.spikes_of_many(recording, start, start + n_times / sfreq)
    # rounding may put a spike at the very end into a bin too many
    bins = np.minimum(((spikes.times - start[window]) * sfreq).astype(np.int64), n_times - 1)
    block[rows] = 0.0
    flat = (rows[window] * block.shape[1] + bins) * block.shape[2] + spikes.channels
    np.add.at(block.reshape(-1), flat, np.float32(1))


def events(store: Store, recording: Int[ndarray, "row"], seconds: Float[ndarray, "row"], field: Field) -> Events:
    """The spikes of each window, padded to the longest."""
    found = [
        _events_of(store, one, np.flatnonzero(recording == one), seconds, field)
        for one in np.unique(recording).tolist()
    ]
    row, channel, time = (np.concatenate(parts) for parts in zip(*found, strict=True))
    order = np.argsort(row, kind="stable")
    lengths = np.bincount(row, minlength=len(recording))
    mask = np.arange(lengths.max()) < lengths[:, None]  # [batch, event]
    channels, times = np.zeros(mask.shape, np.int64), np.zeros(mask.shape, np.float32)
    channels[mask], times[mask] = channel[order], time[order]
    return Events(torch.from_numpy(channels), torch.from_numpy(times), torch.from_numpy(mask))


def _events_of(
    store: Store, recording: int, rows: Int[ndarray, "window"], seconds: Float[ndarray, "row"], field: Field
) -> tuple[ndarray, ndarray, ndarray]:
    """Row, channel and time from the anchor of every spike in the windows of one recording."""
    at = seconds[rows]
    stop = stop_of(field, store.entry(recording), at)
    window, spikes = store.spikes_of_many(recording, at + field.start, at + stop)
    return rows[window], spikes.channels, spikes.times - at[window]


def sampled(store: Store, recording: Int[ndarray, "row"], seconds: Float[ndarray, "row"], field: Field) -> Sampled:
    """The stream's samples of each window, on its own clock, padded to the longest; outside the stream, masked."""
    sfreq, first, length, total = np.empty(len(recording)), *np.empty((3, len(recording)), np.int64)
    info = _info(store.entry(int(recording[0])), field)
    for one in np.unique(recording):
        rows, entry = recording == one, store.entry(int(one))
        info = _info(entry, field)
        sfreq[rows], total[rows] = info.sfreq, info.shape[0]
        first[rows] = np.round((seconds[rows] + field.start - info.start) * info.sfreq)
        length[rows] = np.round((stop_of(field, entry, seconds[rows]) - field.start) * info.sfreq)
    low, high = np.clip(first, 0, total), np.clip(first + length, 0, total)
    values = np.zeros((len(recording), int(length.max()), *info.shape[1:]), np.float32)
    for row, (one, start, stop, at) in enumerate(zip(recording.tolist(), low, high, low - first, strict=True)):
        values[row, at : at + stop - start] = store.stream(one, field.source, int(start), int(stop))
    tick = first[:, None] + np.arange(values.shape[1])
    mask = (tick >= low[:, None]) & (tick < high[:, None])
    time_last = np.moveaxis(values, 1, -1)  # [batch, ..., time]
    rates = torch.from_numpy(sfreq.astype(np.float32))
    return Sampled(torch.from_numpy(time_last), torch.from_numpy(mask), rates)


def _info(entry: Entry, field: Field) -> StreamInfo:
    if field.source not in entry.streams:
        raise ValueError(
            f"{entry.name} has no stream {field.source!r}; it has {sorted(entry.streams)}: name one of these as the field's source"
        )
    return entry.streams[field.source]
