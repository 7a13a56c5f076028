"""Who may be paired with whom: windows of one class, windows a while apart, and how a label changes meanwhile."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from data_loaders.windows import Windows


@dataclass(frozen=True)
class Members:
    """Windows sorted by class, so that the n-th window of any class is one look-up, whatever the ids of the classes."""

    codes: Int[ndarray, "window"]
    count: Int[ndarray, "class"]
    start: Int[ndarray, "class"]
    sorted: Int[ndarray, "window"]
    rank: Int[ndarray, "window"]  # of each window within its class

    @classmethod
    def of(cls, codes: Int[ndarray, "window"]) -> Members:
        """From codes 0, 1, ... without gaps."""
        count = np.bincount(codes)
        order, start = np.argsort(codes, kind="stable"), np.cumsum(count) - count
        rank = np.empty(len(codes), dtype=np.int64)
        rank[order] = np.arange(len(codes)) - start[codes[order]]
        return cls(codes, count, start, order, rank)

    def pick(self, code: Int[ndarray, "item"], number: Int[ndarray, "item"]) -> Int[ndarray, "item"]:
        """The window with that number in its class."""
        return self.sorted[self.start[code] + number]


@dataclass(frozen=True)
class Ahead:
    """For each window the one `seconds` after it in the same segment; -1 where there is none.

    Segments are trials, or what lies between gaps: with `borders` nothing is paired across. Windows are found by their
    place in time, so it does not matter how a split cut the table. Without `borders` the table counts as one stretch.
    """

    partner: Int[ndarray, "window"]
    valid: Int[ndarray, "paired"]

    @classmethod
    def of(cls, windows: Windows, seconds: float, borders: bool = True) -> Ahead:
        """Raises ValueError where no window has another so much later."""
        partner = _later(windows, seconds) if borders else _further(windows, seconds)
        valid = np.flatnonzero(partner >= 0)
        if not len(valid):
            raise ValueError(
                f"no segment or run of windows is longer than time_offset={seconds:g} s: tile with a shorter stride, or shorten it"
            )
        return cls(partner, valid)

    def changes(self, label: Float[ndarray, "window dim"], borders: bool = True) -> Float[ndarray, "change dim"]:
        """How the label changes meanwhile; without `borders` also zeros for the windows before which there is none."""
        found = label[self.partner[self.valid]] - label[self.valid]
        return found if borders else np.concatenate([np.zeros((len(label) - len(found), label.shape[1])), found])


def _later(windows: Windows, seconds: float) -> Int[ndarray, "window"]:
    """Each window's partner, found by time."""
    run, anchor = windows.locate(np.arange(len(windows)))
    sfreq = windows.metadata["sfreq"].to_numpy(dtype=float)[run]
    key = _places(windows)[run] * 2**40 + anchor
    order = np.argsort(key, kind="stable")
    lag = np.round(_lag(key[order], sfreq[order], seconds) * sfreq).astype(np.int64)
    where = np.searchsorted(key[order], key + lag).clip(max=len(key) - 1)
    return np.where(key[order][where] == key + lag, order[where], -1)


def _further(windows: Windows, seconds: float) -> Int[ndarray, "window"]:
    """Each window's partner by position in the table, across all borders."""
    run, anchor = windows.locate(np.arange(len(windows)))
    sfreq = windows.metadata["sfreq"].to_numpy(dtype=float)[run]
    key = _places(windows)[run] * 2**40 + anchor
    step = _step(np.sort(key), sfreq)
    index = np.arange(len(windows)) + max(1, round(seconds / step))
    return np.where(index < len(windows), index, -1)


def _places(windows: Windows) -> Int[ndarray, "run"]:
    """A number for each run's segment of its recording; runs of a table without segments are trials of their own."""
    if "segment" not in windows.metadata:
        return np.arange(len(windows.count))
    segment = windows.metadata["segment"].to_numpy(dtype=np.int64)
    return np.unique(np.stack([windows.recording, segment]), axis=1, return_inverse=True)[1].reshape(-1)


def _step(key: Int[ndarray, "window"], sfreq: Float[ndarray, "window"]) -> float:
    """Seconds between neighbouring windows of a segment, as most of them have it."""
    apart = np.diff(key)
    near = (apart > 0) & (apart < 2**40 // 2)
    return float(np.median(apart[near] / sfreq[1:][near])) if near.any() else float("inf")


def _lag(key: Int[ndarray, "window"], sfreq: Float[ndarray, "window"], seconds: float) -> float:
    """The time offset as a whole number of steps, at least one; seconds."""
    step = _step(key, sfreq)
    return max(1, round(seconds / step)) * step if np.isfinite(step) else seconds
