"""What a split is: folds of windows, of which no test window may have touched training."""

from __future__ import annotations

import difflib
import heapq
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, Shaped
from numpy import ndarray

from data_loaders.intervals import apart
from data_loaders.windows import Windows


@dataclass(frozen=True)
class Fold:
    """One training and one judgement: `val` chooses when to stop, `test` is scored once."""

    name: str
    train: Windows
    val: Windows
    test: Windows


class Split(ABC):
    """How windows are shared out, the same for the same seed.

    `key` is the column of which no two parts share a value, None where they may; `gap` is the number of seconds between
    windows of different parts of one recording; `val` is the share of the training part that is set aside to choose when
    to stop; `within` is a column for each value of which folds are made apart (one model per subject, say).
    """

    key: str | None = None
    every_class_in_test: bool = True

    def __init__(self, val: float = 0.15, gap: float = 0.0, within: str | None = None) -> None:
        if not 0 <= val <= 0.5:
            raise ValueError(f"val is {val:g}, expected a share of the training part from 0 to 0.5, such as 0.15")
        if gap < 0:
            raise ValueError(f"gap is {gap:g} s, expected 0 or more seconds, such as 1.0")
        self.val, self.gap, self.within = val, gap, within

    def folds(self, windows: Windows, labels: Shaped[ndarray, "window"] | None = None, seed: int = 0) -> list[Fold]:
        """All folds. `labels` has one label per window: whole numbers or text are classes, which folds then share evenly.

        Raises ValueError where groups are too few, a column is unknown, or a class is absent from a fold.
        """
        labels = None if labels is None or labels.dtype.kind == "f" else labels
        found, lost = [], []
        for prefix, some, their in _each(windows, labels, self.within):
            for fold in self._cut(some, their, seed):
                kept = Fold(prefix + fold.name, *_separated(fold, self.gap))
                lost.append(sum(map(len, (fold.train, fold.val))) - sum(map(len, (kept.train, kept.val))))
                self._check(kept, some, their)
                found.append(kept)
        if any(lost):
            print(
                f"split: windows that the gap of {self.gap:g} s leaves out of train and val, by fold: {', '.join(map(str, lost))}"
            )
        return found

    @abstractmethod
    def _cut(self, windows: Windows, labels: ndarray | None, seed: int) -> Iterator[Fold]:
        """The folds before the gap is taken out of train and val."""

    def _check(self, fold: Fold, windows: Windows, labels: ndarray | None) -> None:
        for part in ("train", "test", *(["val"] if self.val else [])):
            if len(getattr(fold, part)) == 0:
                raise ValueError(
                    f"fold {fold.name!r} has no {part} window left after a gap of {self.gap:g} s: shorten gap, or lower val or n_folds"
                )
        for part in ("train", *(["test"] if self.every_class_in_test else [])):
            if labels is None:
                continue
            absent = np.setdiff1d(labels, labels[_position(windows, getattr(fold, part))])
            if len(absent):
                raise ValueError(
                    f"fold {fold.name!r} has no window of class {str(absent[0])!r} in its {part} part ({len(np.unique(labels))} classes): "
                    f"lower n_folds, split by another key, or leave that class out"
                )


def _each(
    windows: Windows, labels: ndarray | None, within: str | None
) -> Iterator[tuple[str, Windows, ndarray | None]]:
    """The windows of each value of a column apart, with their labels."""
    if within is None:
        yield "", windows, labels
        return
    names, group = groups(windows, within)
    for number, name in enumerate(names):
        keep = group == number
        yield (
            f"{within}={name} ",
            windows.runs(keep),
            None if labels is None else labels[np.repeat(keep, windows.count)],
        )


def _separated(fold: Fold, gap: float) -> tuple[Windows, Windows, Windows]:
    """Train, val and test, with at least `gap` seconds between any two."""
    val = apart(fold.val, fold.test, gap)
    return apart(apart(fold.train, fold.test, gap), val, gap), val, fold.test


def _position(windows: Windows, part: Windows) -> Int[ndarray, "item"]:
    """Where the windows of a part stand among all."""
    ids = windows.ids()
    order = np.argsort(ids, kind="stable")
    return order[np.searchsorted(ids, part.ids(), sorter=order)]


def groups(windows: Windows, key: str) -> tuple[list[str], Int[ndarray, "run"]]:
    """The distinct values of a column of the windows, and which of them each run has."""
    columns = list(map(str, windows.metadata.columns))
    if key not in columns:
        near = difflib.get_close_matches(key, columns, n=1, cutoff=0.5)
        meant = f"did you mean {near[0]!r}?" if near else f"name one of {sorted(columns)}"
        raise ValueError(f"the windows have no column {key!r}: {meant}")
    missing = windows.metadata[key].isna().to_numpy()
    if missing.any():
        raise ValueError(
            f"{windows.count[missing].sum()} of {len(windows)} windows have no {key}: leave them out with windows.query"
        )
    names, group = np.unique(windows.metadata[key].astype(str).to_numpy(dtype=str), return_inverse=True)
    return list(map(str, names)), group


def tally(windows: Windows, group: Int[ndarray, "run"], labels: ndarray | None) -> Int[ndarray, "group class"]:
    """Windows per group and class; one column where there are no classes."""
    if labels is None:
        return np.bincount(group, weights=windows.count).astype(np.int64)[:, None]
    classes, label = np.unique(labels, return_inverse=True)
    n_groups = group.max() + 1
    cell = np.repeat(group, windows.count) * len(classes) + label
    return np.bincount(cell, minlength=n_groups * len(classes)).reshape(n_groups, len(classes))


def deal(counts: Int[ndarray, "group class"], n_hands: int, rng: np.random.Generator) -> Int[ndarray, "group"]:
    """Deals groups to hands, so that each hand gets about the same number of windows of each class."""
    share = counts / np.maximum(counts.sum(0), 1)
    if counts.shape[1] == 1:
        return _deal_sizes(share[:, 0], n_hands, rng)
    hands = np.zeros((n_hands, counts.shape[1]))
    hand_of = np.empty(len(counts), dtype=np.int64)
    order = rng.permutation(len(counts))
    for group in order[np.argsort(-share[order].sum(1), kind="stable")]:
        # to the hand that has least of what the group brings; among equals, to the smallest
        crowding = np.round(hands @ share[group], 12)
        hand_of[group] = np.lexsort((hands.sum(1), crowding))[0]
        hands[hand_of[group]] += share[group]
    return hand_of


def _deal_sizes(share: Float[ndarray, "group"], n_hands: int, rng: np.random.Generator) -> Int[ndarray, "group"]:
    """The same where there are no classes: what is crowded is what is large, and the smallest hand lies on top of a heap."""
    hand_of = np.empty(len(share), dtype=np.int64)
    hands = [(0.0, hand) for hand in range(n_hands)]
    order = rng.permutation(len(share))
    for group in order[np.argsort(-share[order], kind="stable")].tolist():
        size, hand = hands[0]
        hand_of[group] = hand
        heapq.heapreplace(hands, (size + float(share[group]), hand))
    return hand_of


def hands_for(val: float, n_groups: int) -> int:
    """In how many hands to deal the training part, so that one of them is the share `val`."""
    return min(n_groups, max(2, round(1 / val)))
