"""Leaks through content: the same signal under another name, cropped, scaled, or copied into another run.

Two fingerprints see through names, crops, offsets and positive gains, but not through filters or resampling:
landmarks, which are patterns of turning points anywhere in a recording, and the rises and falls of whole windows.
"""

from __future__ import annotations

import hashlib
from weakref import WeakKeyDictionary

import numpy as np
from jaxtyping import Bool, Float, Int, UInt64
from numpy import ndarray

from data_loaders.ids import decode_id
from data_loaders.intervals import covered, evenly
from data_loaders.leakage.base import LeakageError, Pair
from data_loaders.leakage.landmarks import KEEP, landmarks
from data_loaders.store import Store
from data_loaders.windows import Windows

# that many landmarks at one and the same distance in time are no chance
_MATCHES = 4
_MAX_WINDOWS, _MAX_SAMPLES, _MIN_TURNS = 2048, 256, 64

# found once per store, for folds ask again and again
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
    recording, (code, sample) = landmarks(store, np.unique(windows.recording))
    inside = covered(windows, recording, sample)
    return code[inside], recording[inside], sample[inside]


def _joined(a: UInt64[ndarray, "a"], b: UInt64[ndarray, "b"]) -> tuple[Int[ndarray, "pair"], Int[ndarray, "pair"]]:
    """Positions of equal hashes; one that is common to many places says nothing."""
    order = np.argsort(b, kind="stable")
    low, high = (np.searchsorted(b[order], a, side=side) for side in ("left", "right"))
    n_same = np.where(high - low <= KEEP, high - low, 0)
    left = np.repeat(np.arange(len(a)), n_same)
    step = np.arange(len(left)) - np.repeat(np.cumsum(n_same) - n_same, n_same)
    return left, order[low[left] + step]


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
