"""Reads one field of one window: a stretch of the signal, counts of spikes, spike events, or a stream's samples."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray

from data_loaders.catalog import Entry
from data_loaders.contracts import Events, Field, Sampled
from data_loaders.store import Store
from data_loaders.transforms.base import SignalInfo


def info_of(entry: Entry, recording: int, field: Field | None) -> SignalInfo:
    """The channels of a recording as they lie in the store, at the rate of the field."""
    sfreq = entry.sfreq if field is None or field.sfreq is None else field.sfreq
    places = (entry.ch_names, entry.ch_types, entry.ch_positions, entry.bads)
    return SignalInfo(sfreq, *places, recording, entry.ch_columns)


def stop_of(field: Field, entry: Entry, seconds: float) -> float:
    """Where the field ends, in seconds from the anchor: an infinite stop is the end of the anchor's segment."""
    if math.isfinite(field.stop):
        return field.stop
    segment = np.searchsorted(entry.segments[:, 0], seconds, side="right") - 1
    return float(entry.segments[segment, 1] - seconds)


def dense(store: Store, recording: int, anchors: Int[ndarray, "row"], field: Field) -> list[ndarray]:
    """Each window's signal [time, channel], or its spikes per bin; bad channels are zero."""
    seconds = anchors / store.entry(recording).sfreq
    if field.source != "spikes":
        return [_signal(store, recording, anchor, field) for anchor in anchors.tolist()]
    if math.isfinite(field.stop):
        return list(_counts(store, recording, seconds, field))
    return [_counts(store, recording, np.array([t]), field)[0] for t in seconds.tolist()]


def _signal(store: Store, recording: int, anchor: int, field: Field) -> Float[ndarray, "time channel"]:
    entry = store.entry(recording)
    if field.sfreq not in (None, entry.sfreq):
        raise ValueError(
            f"{entry.name} has sfreq {entry.sfreq:g} Hz but the field asks for {field.sfreq:g} Hz: add the transform Resample"
        )
    start = anchor + round(field.start * entry.sfreq)
    seconds = stop_of(field, entry, anchor / entry.sfreq) - field.start
    signal = store.signal(recording, start, start + round(seconds * entry.sfreq))
    if entry.bads:
        signal[:, [entry.ch_names.index(name) for name in entry.bads]] = 0.0
    return signal


def _counts(
    store: Store, recording: int, seconds: Float[ndarray, "row"], field: Field
) -> Float[ndarray, "row time channel"]:
    """Spikes per bin of windows of one length, counted at once."""
    entry = store.entry(recording)
    sfreq, start = field.sfreq or entry.sfreq, seconds + field.start
    n_times, n_chans = round((stop_of(field, entry, float(seconds[0])) - field.start) * sfreq), len(entry.ch_names)
    row, spikes = store.spikes_of_many(recording, start, start + n_times / sfreq)
    # rounding may put a spike at the very end into a bin too many
    bins = np.minimum(((spikes.times - start[row]) * sfreq).astype(np.int64), n_times - 1)
    flat = np.bincount((row * n_times + bins) * n_chans + spikes.channels, minlength=len(start) * n_times * n_chans)
    return flat.reshape(len(start), n_times, n_chans).astype(np.float32)


def events(store: Store, recording: Int[ndarray, "row"], seconds: Float[ndarray, "row"], field: Field) -> Events:
    """The spikes of each window, padded to the longest."""
    where = list(zip(recording.tolist(), seconds.tolist(), strict=True))
    found = [store.spikes(r, t + field.start, t + stop_of(field, store.entry(r), t)) for r, t in where]
    lengths = np.array([len(spikes.times) for spikes in found])
    mask = np.arange(lengths.max()) < lengths[:, None]  # [batch, event]
    channel, time = np.zeros(mask.shape, np.int64), np.zeros(mask.shape, np.float32)
    channel[mask] = np.concatenate([spikes.channels for spikes in found])
    time[mask] = np.concatenate([spikes.times - t for spikes, (_, t) in zip(found, where, strict=True)])
    return Events(torch.from_numpy(channel), torch.from_numpy(time), torch.from_numpy(mask))


def sampled(store: Store, recording: Int[ndarray, "row"], seconds: Float[ndarray, "row"], field: Field) -> Sampled:
    """The stream's samples of each window, on its own clock, padded to the longest; outside the stream, masked."""
    chunks = [_chunk(store, r, t, field) for r, t in zip(recording.tolist(), seconds.tolist(), strict=True)]
    longest = max(len(mask) for _, mask, _ in chunks)
    values = np.zeros((len(chunks), longest, *chunks[0][0].shape[1:]), np.float32)
    masks = np.zeros((len(chunks), longest), bool)
    for row, (chunk, mask, _) in enumerate(chunks):
        values[row, : len(chunk)], masks[row, : len(mask)] = chunk, mask
    time_last = np.moveaxis(values, 1, -1)  # [batch, ..., time]
    return Sampled(
        torch.from_numpy(time_last), torch.from_numpy(masks), torch.tensor([sfreq for _, _, sfreq in chunks])
    )


def _chunk(store: Store, recording: int, seconds: float, field: Field) -> tuple[ndarray, ndarray, "float"]:
    entry = store.entry(recording)
    if field.source not in entry.streams:
        raise ValueError(
            f"{entry.name} has no stream {field.source!r}; it has {sorted(entry.streams)}: name one of these as the field's source"
        )
    info = entry.streams[field.source]
    first = round((seconds + field.start - info.start) * info.sfreq)
    n_times = round((stop_of(field, entry, seconds) - field.start) * info.sfreq)
    low, high = np.clip((first, first + n_times), 0, info.shape[0]).tolist()
    chunk, mask = np.zeros((n_times, *info.shape[1:]), np.float32), np.zeros(n_times, bool)
    chunk[low - first : high - first] = store.stream(recording, field.source, low, high)
    mask[low - first : high - first] = True
    return chunk, mask, info.sfreq


def channels(infos: Sequence[SignalInfo], width: int) -> tuple[ndarray, "ndarray"]:
    """What is real among padded channels [row, channel], and where each is [row, channel, 3], in metres."""
    mask, positions = np.zeros((len(infos), width), bool), np.full((len(infos), width, 3), np.nan, np.float32)
    for row, info in enumerate(infos):
        mask[row, : len(info.ch_names)] = [name not in info.bads for name in info.ch_names] if info.bads else True
        positions[row, : len(info.ch_names)] = info.ch_positions
    return mask, positions
