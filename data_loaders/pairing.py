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
    """The windows that have another one `lag` windows after them in their run, numbered without gaps.

    A run never crosses the border of a trial. Without `borders` the whole table counts as one run.
    """

    lag: int
    first: Int[ndarray, "run"]
    valid: Int[ndarray, "run"]

    @classmethod
    def of(cls, windows: Windows, lag: int, borders: bool = True) -> Ahead:
        count = windows.count if borders else np.array([len(windows)])
        return cls(lag, np.cumsum(count) - count, np.maximum(0, count - lag))

    def __len__(self) -> int:
        return int(self.valid.sum())

    def nth(self, number: Int[ndarray, "item"]) -> Int[ndarray, "item"]:
        """The positions of these windows."""
        ends = np.cumsum(self.valid)
        run = np.searchsorted(ends, number, side="right")
        return self.first[run] + number - (ends[run] - self.valid[run])


def lag_of(windows: Windows, seconds: float) -> int:
    """How many windows further `seconds` are. Raises ValueError where no run of windows is long enough."""
    stride = windows.stride[0] / windows.metadata["sfreq"].iloc[0]
    lag = max(1, round(seconds / stride))
    if not (windows.count > lag).any():
        raise ValueError(
            f"no run of windows is longer than time_offset={seconds:g} s: tile with a shorter stride, or shorten it"
        )
    return lag


def changes(
    windows: Windows, label: Float[ndarray, "window dim"], lag: int, borders: bool = True
) -> Float[ndarray, "change dim"]:
    """How the label changes over `lag` windows: within runs, or (`borders` False) everywhere, with zeros for the first."""
    if not borders:
        return np.concatenate([np.zeros((lag, label.shape[1])), label[lag:] - label[:-lag]])
    run, _ = windows.locate(np.arange(len(windows)))
    return (label[lag:] - label[:-lag])[run[lag:] == run[:-lag]]
