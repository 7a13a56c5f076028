"""Less to learn from: some of the people, or the first share of every recording's training windows, the other parts as they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from data_loaders.splits.base import Fold
from data_loaders.windows import Windows


def check_less(share: float, n_subjects: int | None) -> None:
    """Raises ValueError where nothing would be left."""
    if not 0 < share <= 1:
        raise ValueError(f"train_share is {share:g}, expected above 0 and at most 1, such as 0.1 for a tenth")
    if n_subjects is not None and n_subjects < 1:
        raise ValueError(f"train_subjects is {n_subjects}, expected at least 1")


def less(fold: Fold, share: float, n_subjects: int | None, spread: bool, seed: int) -> Fold:
    """The fold with fewer people to train on, and the first share of what they have, or as many windows spread over all of it."""
    fewer = few_subjects(fold, n_subjects, seed)
    return spread_share(fewer, share) if spread else first_share(fewer, share)


def of_subjects(windows: Windows, names: Sequence[str] | None) -> Windows:
    """The windows of these people. Raises ValueError for one of whom there are none, with those that there are."""
    if names is None:
        return windows
    subject = windows.metadata["subject"].astype(str).to_numpy()
    missing = sorted(set(map(str, names)) - set(subject))
    if missing:
        raise ValueError(
            f"subjects names {missing[0]!r}, of whom there are no windows: name some of {sorted(set(subject))}"
        )
    return windows.runs(np.isin(subject, list(map(str, names))))


def few_subjects(fold: Fold, n: int | None, seed: int) -> Fold:
    """The fold with the training windows of `n` people, drawn by the seed so that fewer are always some of more; printed."""
    if n is None:
        return fold
    subject = fold.train.metadata["subject"].astype(str).to_numpy()
    people = np.unique(subject)
    if n > len(people):
        raise ValueError(
            f"train_subjects is {n}, but fold {fold.name} trains on {len(people)}: lower it to {len(people)}"
        )
    kept = np.random.default_rng(seed).permutation(people)[:n]
    print(f"train_subjects: {n} of {len(people)} people, {', '.join(sorted(kept)[:20])}{', ...' if n > 20 else ''}")
    return replace(fold, train=fold.train.runs(np.isin(subject, kept)))


def first_share(fold: Fold, share: float) -> Fold:
    """The fold with the first `share` of each recording's training windows, in order of time, at least one; printed."""
    if share == 1:
        return fold
    train = _first(fold.train, share)
    print(
        f"train_share: {len(train):,} of {len(fold.train):,} training windows, the first {share:.3g} of each recording"
    )
    return replace(fold, train=train)


def spread_share(fold: Fold, share: float) -> Fold:
    """The fold with a `share` of each recording's training windows, evenly spaced, at least one; printed."""
    if share == 1:
        return fold
    of = fold.train.recording[fold.train.locate(np.arange(len(fold.train)))[0]]
    order = np.argsort(of, kind="stable")
    places = np.split(order, np.flatnonzero(np.diff(of[order])) + 1)
    # the middle of as many equal stretches
    kept = [place[_middles(len(place), max(1, round(share * len(place))))] for place in places]
    train = fold.train.take(np.concatenate(kept))
    print(f"train_share: {len(train):,} of {len(fold.train):,} training windows, evenly spaced in each recording")
    return replace(fold, train=train)


def _middles(n: int, count: int) -> Int[ndarray, "item"]:
    return ((np.arange(count) + 0.5) * n / count).astype(np.int64)


def _first(windows: Windows, share: float) -> Windows:
    order = np.lexsort((windows.first, windows.recording))
    recording, count = windows.recording[order], windows.count[order]
    _, first, of = np.unique(recording, return_index=True, return_inverse=True)
    before = np.cumsum(count) - count
    wanted = np.maximum(1, np.round(share * np.add.reduceat(count, first))).astype(np.int64)
    kept = np.zeros_like(count)
    kept[order] = np.clip(wanted[of] - (before - before[first][of]), 0, count)
    return replace(windows, count=kept).runs(kept > 0)
