"""Landmarks of a recording: patterns of turning points that stay when it is renamed, cropped, shifted or scaled in value."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from weakref import WeakKeyDictionary

import numpy as np
from jaxtyping import Float, Int, UInt64
from numpy import ndarray

from data_loaders.catalog import Entry
from data_loaders.samplers.hashing import mix
from data_loaders.store import Store

# a recording of up to 4 minutes is read whole. Of a longer one: a block, and a comb whose period is shorter than the
# block, so that any stretch with the block in it meets the comb of its copy
_WHOLE_S, _BLOCK_S, _PERIOD_S, _TOOTH_S = 240.0, 64.0, 60.0, 4.0
# seconds read per store at most; more recordings get shorter stretches, and a printed line. In less than two seconds of a
# recording no stretch is long enough for the landmarks that make a match, so of still more recordings some are compared
_BUDGET_S, _LEAST_S = 50_000.0, 2.0
_MAX_CHANNELS = 8
# a landmark is this many intervals between turning points; one in KEEP is kept, chosen by its own hash
_INTERVALS, KEEP = 24, 8
# landmarks hashed in one piece: enough to make a call worth while, few enough for memory
_AT_ONCE = 1 << 15
_NONE = np.zeros(0, np.uint64), np.zeros(0, np.int64)

Marks = tuple[UInt64[ndarray, "mark"], Int[ndarray, "mark"]]  # hash, sample

# found once per store, for folds ask again and again
_known: WeakKeyDictionary[Store, dict[int, Marks]] = WeakKeyDictionary()
_compared: WeakKeyDictionary[Store, ndarray] = WeakKeyDictionary()


def landmarks(store: Store, recordings: Int[ndarray, "recording"]) -> tuple[Int[ndarray, "mark"], Marks]:
    """The landmarks of those recordings that are compared, and the recording of each."""
    chosen = np.intersect1d(recordings, compared(store))
    marks = [_of_recording(store, recording) for recording in chosen.tolist()]
    code, sample = (np.concatenate([none, *(mark[k] for mark in marks)]) for k, none in enumerate(_NONE))
    return np.repeat(chosen, [len(mark[0]) for mark in marks]), (code, sample)


def compared(store: Store) -> Int[ndarray, "recording"]:
    """The recordings that are looked at, drawn once and alike for all folds where there are too many; that is printed."""
    if store not in _compared:
        n_most, n = int(_BUDGET_S / _LEAST_S), len(store)
        # by a hash of their numbers: copies may stand side by side, or at a regular distance
        _compared[store] = np.sort(np.argsort(mix(np.arange(n), 0), kind="stable")[:n_most])
        some = f"{n_most} of them are compared, {_LEAST_S:.0f} s of each: a copy may go unseen"
        few = f"{_BUDGET_S / n:.0f} s of each are compared: a cropped copy may go unseen"
        if _BUDGET_S / n < 4 * _BLOCK_S:
            print(f"leakage: {n} recordings, so {few if n <= n_most else some}")
    return _compared[store]


def _of_recording(store: Store, recording: int) -> Marks:
    known = _known.setdefault(store, {})
    if recording not in known:
        stretches = _stretches(store.entry(recording), len(compared(store)))
        known[recording] = _marks([t for at in stretches for t in _turning_points(store, recording, *at)])
    return known[recording]


def _stretches(entry: Entry, n_recordings: int) -> Iterator[tuple[int, int]]:
    """[start, stop) samples to read."""
    allowed = _BUDGET_S / n_recordings
    if entry.duration <= min(_WHOLE_S, allowed):
        yield 0, entry.n_times
        return
    block, tooth = (min(length, allowed / 4) for length in (_BLOCK_S, _TOOTH_S))
    middle = entry.duration / 2
    teeth = np.arange(0.0, entry.duration, _PERIOD_S)
    at = [(middle - block / 2, middle + block / 2), *((t, t + tooth) for t in teeth[: int(allowed / 2 / tooth)])]
    for start, stop in at:
        yield round(start * entry.sfreq), min(round(stop * entry.sfreq), entry.n_times)


def _turning_points(store: Store, recording: int, start: int, stop: int) -> Sequence[Int[ndarray, "_"]]:
    """Samples at which each of a few channels turns from rising to falling or back; for a unit, its spikes."""
    entry = store.entry(recording)
    if entry.has_spikes:
        spikes = store.spikes(recording, start / entry.sfreq, stop / entry.sfreq)
        busy = np.argsort(-np.bincount(spikes.channels, minlength=1), kind="stable")[:_MAX_CHANNELS]
        return [np.round(spikes.times[spikes.channels == unit] * entry.sfreq).astype(np.int64) for unit in busy]
    if "signal" not in entry.extents:
        return []
    return _turns(store.signal(recording, start, stop)[:, :_MAX_CHANNELS], start)


def _turns(signal: Float[ndarray, "time channel"], start: int) -> list[Int[ndarray, "_"]]:
    """The same of all channels at once: a call of numpy costs as much as a short stretch."""
    step = np.diff(signal, axis=0).T  # [channel, step]
    channel, moving = np.nonzero(step)
    rising = step[channel, moving] > 0
    turn = 1 + np.flatnonzero((channel[1:] == channel[:-1]) & (rising[1:] != rising[:-1]))
    ends = np.searchsorted(channel[turn], np.arange(1, len(step)))
    return np.split(start + moving[turn], ends)


def _marks(series: Sequence[Int[ndarray, "_"]]) -> Marks:
    """Hashes of successive intervals between turning points, where these are varied enough to tell places apart."""
    turns = np.concatenate([_NONE[1], *series])
    if len(turns) <= _INTERVALS:
        return _NONE
    of = np.repeat(np.arange(len(series)), [len(one) for one in series])
    within = np.flatnonzero(of[_INTERVALS:] == of[:-_INTERVALS])
    intervals = np.lib.stride_tricks.sliding_window_view(np.diff(turns), _INTERVALS)  # [mark, interval]
    pieces = np.array_split(within, 1 + len(within) // _AT_ONCE)
    code = np.concatenate([_hashed(intervals[piece]) for piece in pieces])
    chosen = code % np.uint64(KEEP) == 0
    code, at = code[chosen], within[chosen]
    triples = np.sort(_hashed(np.lib.stride_tricks.sliding_window_view(intervals[at], 3, axis=1)), axis=1)
    # a hum or a sine repeats itself: its landmarks are the same everywhere
    varied = (np.diff(triples, axis=1) != 0).sum(1) >= _INTERVALS // 3
    return code[varied], turns[at][varied]


def _hashed(values: Int[ndarray, "*rows value"]) -> UInt64[ndarray, "*rows"]:
    """One number per row, the same for the same row."""
    odd = np.random.default_rng(0).integers(1, 1 << 63, values.shape[-1], dtype=np.uint64) | np.uint64(1)
    mixed = (values.astype(np.uint64) + np.uint64(0x9E3779B9)) * odd
    mixed = (mixed ^ (mixed >> np.uint64(29))).sum(-1, dtype=np.uint64) * np.uint64(0xBF58476D1CE4E5B9)
    return mixed ^ (mixed >> np.uint64(32))
