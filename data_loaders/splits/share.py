"""Less to learn from: the first share of every recording's training windows, the other parts as they are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from data_loaders.splits.base import Fold
from data_loaders.windows import Windows


def first_share(fold: Fold, share: float) -> Fold:
    """The fold with the first `share` of each recording's training windows, in order of time, at least one; printed."""
    if share == 1:
        return fold
    train = _first(fold.train, share)
    print(
        f"train_share: {len(train):,} of {len(fold.train):,} training windows, the first {share:.3g} of each recording"
    )
    return replace(fold, train=train)


def _first(windows: Windows, share: float) -> Windows:
    kept = np.zeros_like(windows.count)
    for recording in np.unique(windows.recording):
        runs = np.flatnonzero(windows.recording == recording)
        runs = runs[np.argsort(windows.first[runs], kind="stable")]
        kept[runs] = _filled(windows.count[runs], share)
    return replace(windows, count=kept).runs(kept > 0)


def _filled(count: Int[ndarray, "run"], share: float) -> Int[ndarray, "run"]:
    """How many windows of each run are among the first share of all."""
    wanted = max(1, round(share * int(count.sum())))
    return np.clip(wanted - (np.cumsum(count) - count), 0, count)
