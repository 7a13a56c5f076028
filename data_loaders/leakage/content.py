"""Leaks through content: the same signal under another name, cropped, scaled, or copied into another run.

Two fingerprints see through names, crops, offsets and positive gains, but not through filters or resampling:
landmarks, which are patterns of turning points anywhere in a recording, and the rises and falls of whole windows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from weakref import WeakKeyDictionary

import numpy as np
from jaxtyping import Bool, Float, Int, UInt64
from numpy import ndarray

from data_loaders.catalog import Entry
from data_loaders.ids import decode_id
from data_loaders.intervals import covered, evenly
from data_loaders.leakage.base import LeakageError, Pair
from data_loaders.samplers.hashing import mix
from data_loaders.store import Store
from data_loaders.windows import Windows

# a recording of up to 4 minutes is read whole. Of a longer one: a block, and a comb whose period is shorter than the
# block, so that any stretch with the block in it meets the comb of its copy
_WHOLE_S, _BLOCK_S, _PERIOD_S, _TOOTH_S = 240.0, 64.0, 60.0, 4.0
# seconds read per store at most; more recordings get shorter stretches, and a printed line. In less than two seconds of a
# recording no stretch is long enough for the landmarks that make a match, so of still more recordings some are compared
_BUDGET_S, _LEAST_S = 50_000.0, 2.0
_MAX_CHANNELS = 8
# a landmark is this many intervals between turning points; one in eight is kept, chosen by its own hash
_INTERVALS, _KEEP = 24, 8
# that many landmarks at one and the same distance in time are no chance
_MATCHES = 4
_NO_MARKS = np.zeros(0, np.uint64), np.zeros(0, np.int64)
_MAX_WINDOWS, _MAX_SAMPLES, _MIN_TURNS = 2048, 256, 64

# found once per store, for folds ask again and again
_landmarks: WeakKeyDictionary[Store, dict[int, tuple[ndarray, ndarray]]] = WeakKeyDictionary()
_known_compared: WeakKeyDictionary[Store, ndarray] = WeakKeyDictionary()
_known_prints: WeakKeyDictionary[Store, dict[tuple[int, tuple[float, float]], bytes]] = WeakKeyDictionary()


def check_content(pair: Pair, store: Store) -> None:
    """Refuses equal content in both parts."""
    found = _by_landmarks(pair, store) or _by_windows(pair, store)
    if found:
        raise LeakageError(
            f"{pair.say(*found)} hold the same signal: drop one of the recordings, or give both the same subject and split by it"
        )


def _by_landmarks(pair: Pair, store: Store) -> tuple[int, int] | None:
    """Two windows that share a stretch of signal in recordings of any name."""
    a, b = _gathered(pair.a, store), _gathered(pair.b, store)
    left, right = _joined(a[0], b[0])
    place = np.stack([a[1][left], b[1][right], a[2][left] - b[2][right]], axis=1)
    apart = (place[:, 0] != place[:, 1]) | (place[:, 2] != 0)
    _, group, size = np.unique(place[apart], axis=0, return_inverse=True, return_counts=True)
    hits = np.flatnonzero(size[group.reshape(-1)] >= _MATCHES)
    if not len(hits):
        return None
    i, j = left[apart][hits[0]], right[apart][hits[0]]
    return _window_at(pair.a, int(a[1][i]), int(a[2][i])), _window_at(pair.b, int(b[1][j]), int(b[2][j]))


def _gathered(
    windows: Windows, store: Store
) -> tuple[UInt64[ndarray, "mark"], Int[ndarray, "mark"], Int[ndarray, "mark"]]:
    """All landmarks that these windows cover: hash, recording, sample."""
    recordings = np.intersect1d(windows.recording, _compared(store))
    marks = [_of_recording(store, int(r)) for r in recordings]
    code, sample = (np.concatenate([none, *(mark[k] for mark in marks)]) for k, none in enumerate(_NO_MARKS))
    recording = np.repeat(recordings, [len(mark[0]) for mark in marks])
    inside = covered(windows, recording, sample)
    return code[inside], recording[inside], sample[inside]


def _joined(a: UInt64[ndarray, "a"], b: UInt64[ndarray, "b"]) -> tuple[Int[ndarray, "pair"], Int[ndarray, "pair"]]:
    """Positions of equal hashes; one that is common to many places says nothing."""
    order = np.argsort(b, kind="stable")
    low, high = (np.searchsorted(b[order], a, side=side) for side in ("left", "right"))
    n_same = np.where(high - low <= _KEEP, high - low, 0)
    left = np.repeat(np.arange(len(a)), n_same)
    step = np.arange(len(left)) - np.repeat(np.cumsum(n_same) - n_same, n_same)
    return left, order[low[left] + step]


def _compared(store: Store) -> Int[ndarray, "recording"]:
    """The recordings that are looked at, drawn once and alike for all folds where there are too many; that is printed."""
    if store not in _known_compared:
        n_most, n = int(_BUDGET_S / _LEAST_S), len(store)
        # by a hash of their numbers: copies may stand side by side, or at a regular distance
        drawn = np.argsort(mix(np.arange(n), 0), kind="stable")[:n_most]
        _known_compared[store] = np.sort(drawn)
        some = f"{n_most} of them are compared, {_LEAST_S:.0f} s of each: a copy may go unseen"
        few = f"{_BUDGET_S / n:.0f} s of each are compared: a cropped copy may go unseen"
        if _BUDGET_S / n < 4 * _BLOCK_S:
            print(f"leakage: {n} recordings, so {few if n <= n_most else some}")
    return _known_compared[store]


def _of_recording(store: Store, recording: int) -> tuple[UInt64[ndarray, "mark"], Int[ndarray, "mark"]]:
    """The landmarks of a recording, found once per store."""
    known = _landmarks.setdefault(store, {})
    if recording not in known:
        found = [
            _marks(turns)
            for start, stop in _stretches(store.entry(recording), len(_compared(store)))
            for turns in _turning_points(store, recording, start, stop)
        ]
        known[recording] = (
            np.concatenate([_NO_MARKS[0], *(code for code, _ in found)]),
            np.concatenate([_NO_MARKS[1], *(sample for _, sample in found)]),
        )
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


def _turning_points(store: Store, recording: int, start: int, stop: int) -> Iterator[Int[ndarray, "turn"]]:
    """Samples at which each of a few channels turns from rising to falling or back; for a unit, its spikes."""
    entry = store.entry(recording)
    if entry.has_spikes:
        spikes = store.spikes(recording, start / entry.sfreq, stop / entry.sfreq)
        busy = np.argsort(-np.bincount(spikes.channels, minlength=1), kind="stable")[:_MAX_CHANNELS]
        for unit in busy:
            yield np.round(spikes.times[spikes.channels == unit] * entry.sfreq).astype(np.int64)
    elif "signal" in entry.extents:
        signal = store.signal(recording, start, stop)
        for channel in range(min(_MAX_CHANNELS, signal.shape[1])):
            step = np.diff(signal[:, channel])
            moving = np.flatnonzero(step)
            rising = step[moving] > 0
            yield start + moving[1:][rising[1:] != rising[:-1]]


def _marks(turns: Int[ndarray, "turn"]) -> tuple[UInt64[ndarray, "mark"], Int[ndarray, "mark"]]:
    """Hashes of successive intervals between turning points, where these are varied enough to tell places apart."""
    if len(turns) <= _INTERVALS:
        return _NO_MARKS
    intervals = np.lib.stride_tricks.sliding_window_view(np.diff(turns), _INTERVALS)  # [mark, interval]
    code = _hashed(intervals)
    kept = np.flatnonzero(code % np.uint64(_KEEP) == 0)
    triples = np.sort(_hashed(np.lib.stride_tricks.sliding_window_view(intervals[kept], 3, axis=1)), axis=1)
    # a hum or a sine repeats itself: its landmarks are the same everywhere
    varied = (np.diff(triples, axis=1) != 0).sum(1) >= _INTERVALS // 3
    return code[kept][varied], turns[kept][varied]


def _hashed(values: Int[ndarray, "*rows value"]) -> UInt64[ndarray, "*rows"]:
    """One number per row, the same for the same row."""
    odd = np.random.default_rng(0).integers(1, 1 << 63, values.shape[-1], dtype=np.uint64) | np.uint64(1)
    mixed = (values.astype(np.uint64) + np.uint64(0x9E3779B9)) * odd
    mixed = (mixed ^ (mixed >> np.uint64(29))).sum(-1, dtype=np.uint64) * np.uint64(0xBF58476D1CE4E5B9)
    return mixed ^ (mixed >> np.uint64(32))


def _by_windows(pair: Pair, store: Store) -> tuple[int, int] | None:
    """Two windows that rise and fall alike; at most 2048 of each part, spread evenly, and 256 samples of each."""
    indices = [evenly(len(part), _MAX_WINDOWS) for part in (pair.a, pair.b)]
    prints = [_prints(part, index, store) for part, index in zip((pair.a, pair.b), indices, strict=True)]
    known = {code: i for code, i in zip(prints[0], indices[0], strict=True) if code}
    hits = ((known[code], i) for code, i in zip(prints[1], indices[1], strict=True) if code in known)
    return next(((int(i), int(j)) for i, j in hits), None)


def _prints(windows: Windows, index: Int[ndarray, "item"], store: Store) -> list[bytes]:
    known = _known_prints.setdefault(store, {})
    for window in windows.ids(index):
        key = int(window), windows.extent
        if key not in known:
            (recording,), (anchor,) = decode_id(np.array([window]))
            known[key] = _print(store, int(recording), int(anchor), windows.extent)
    return [known[int(window), windows.extent] for window in windows.ids(index)]


def _print(store: Store, recording: int, anchor: int, extent: tuple[float, float]) -> bytes:
    """What stays of a window when it is scaled or shifted in value; empty where too little happens in it."""
    entry = store.entry(recording)
    start, stop = (anchor + round(side * entry.sfreq) for side in extent)
    if entry.has_spikes:
        spikes = store.spikes(recording, start / entry.sfreq, stop / entry.sfreq)
        ticks = np.round(spikes.times * entry.sfreq).astype(np.int64) - start
        pattern, enough = np.stack([ticks, spikes.channels.astype(np.int64)]), len(ticks) >= _MIN_TURNS
    elif "signal" in entry.extents:
        pattern = _rises(store.signal(recording, start, min(stop, start + _MAX_SAMPLES)))
        enough = (pattern[1:] != pattern[:-1]).sum() >= _MIN_TURNS and not _repeats(pattern)
    else:
        return b""
    return hashlib.blake2b(pattern.tobytes(), digest_size=16).digest() if enough else b""


def _rises(signal: Float[ndarray, "time channel"]) -> Bool[ndarray, "step series"]:
    """Where each channel rises; for windows of a few samples, where the next channel is higher."""
    return np.diff(signal if len(signal) >= 32 else signal.T, axis=0) > 0


def _repeats(rises: Bool[ndarray, "step series"]) -> bool:
    """True for a hum or a sine, which rises and falls alike after each period."""
    n_steps, n_series = rises.shape
    power = np.abs(np.fft.rfft(2.0 * rises - 1.0, 2 * n_steps, axis=0)) ** 2
    alike = np.fft.irfft(power.sum(1))[:n_steps] / (np.arange(n_steps, 0, -1) * n_series)
    # a slow signal is alike at short lags too: what counts is the return after it first went the other way
    turned = np.flatnonzero(alike < 0)
    return bool(len(turned) and alike[turned[0] : n_steps // 2].max(initial=0.0) > 0.9)


def _window_at(windows: Windows, recording: int, sample: int) -> int:
    """The position of a window around a sample."""
    ends = np.cumsum(windows.count)
    sfreq = windows.metadata["sfreq"].to_numpy(dtype=float)
    late = np.clip(
        (sample - windows.first - np.round(windows.extent[0] * sfreq)) // windows.stride, 0, windows.count - 1
    )
    begin = windows.first + late * windows.stride + np.round(windows.extent[0] * sfreq)
    far = np.where((windows.recording == recording) & (begin <= sample), sample - begin, np.inf)
    run = int(np.argmin(far))
    return int(ends[run] - windows.count[run] + late[run])
