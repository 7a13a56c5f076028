"""Splits in time: each fold tests on one contiguous block of every recording, with a gap on both sides."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from data_loaders.splits.base import Fold, Split
from data_loaders.windows import Windows, concatenate


class TimeBlock(Split):
    """Cuts every recording into `n_folds` stretches of equally many windows; fold k tests on the k-th.

    The block behind the test block (before it, at the end) is for validation. Windows within `gap` seconds of another
    part's are left out of train and val. Nothing is drawn at random.
    """

    def __init__(self, n_folds: int = 5, gap: float = 1.0, val: float = 0.15, within: str | None = None) -> None:
        super().__init__(val, gap, within)
        if n_folds < 2:
            raise ValueError(f"n_folds is {n_folds}, expected at least 2")
        if gap == 0:
            raise ValueError("a gap of 0 s lets neighbouring windows into train and test: set gap to a second or more")
        self.n_folds = n_folds

    def _cut(self, windows: Windows, labels: ndarray | None, seed: int) -> Iterator[Fold]:
        ordered = windows.runs(np.lexsort((windows.first, windows.recording)))
        start, length = _places(ordered)
        if length.max(initial=0) < self.n_folds:
            raise ValueError(
                f"no recording has as many as {self.n_folds} windows: lower n_folds, or split by another key"
            )
        for number in range(self.n_folds):
            low, high = (np.round(length * k / self.n_folds).astype(np.int64) for k in (number, number + 1))
            n_val = np.ceil((length - (high - low)) * self.val).astype(np.int64)
            val_low = np.where(high + n_val <= length, high, low - n_val)
            yield _fold(f"{number + 1}", ordered, start, length, (low, high), (val_low, val_low + n_val))


def _fold(
    name: str,
    windows: Windows,
    start: ndarray,
    length: ndarray,
    test: tuple[ndarray, "ndarray"],
    val: tuple[ndarray, "ndarray"],
) -> Fold:
    """Two blocks of each recording, and the three stretches around them."""
    edges = np.sort([np.zeros_like(length), *val, *test, length], axis=0)
    rest = [_stretch(windows, start, edges[k], edges[k + 1]) for k in range(len(edges) - 1) if k % 2 == 0]
    return Fold(name, concatenate(rest), _stretch(windows, start, *val), _stretch(windows, start, *test))


def _places(windows: Windows) -> tuple[Int[ndarray, "run"], Int[ndarray, "run"]]:
    """For each run, at which of its recording's windows it starts, and how many these are."""
    ends = np.cumsum(windows.count)
    _, first, recording = np.unique(windows.recording, return_index=True, return_inverse=True)
    before = (ends - windows.count)[first]
    total = np.bincount(recording, weights=windows.count).astype(np.int64)
    return ends - windows.count - before[recording], total[recording]


def _stretch(windows: Windows, start: ndarray, low: ndarray, high: ndarray) -> Windows:
    """The windows numbered [low, high) in their recording, bounds given per run."""
    from_, to = (windows.first + windows.stride * np.clip(edge - start, 0, windows.count) for edge in (low, high))
    return windows.between(from_, to)
