"""Splits by group: whole subjects, sessions, runs, stimuli, or the values of any column stay on one side."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from data_loaders.splits.base import Fold, Split, deal, groups, hands_for, tally
from data_loaders.windows import Windows


class By(Split):
    """Deals the values of `key` (subject, session, run, stimulus, any column) to `n_folds` folds, classes shared evenly.

    Groups are told apart by the value alone: session 1 of all subjects is one group, unless `within: subject`.
    """

    def __init__(
        self, key: str = "subject", n_folds: int = 5, val: float = 0.15, gap: float = 0.0, within: str | None = None
    ) -> None:
        super().__init__(val, gap, within)
        if n_folds < 2:
            raise ValueError(f"n_folds is {n_folds}, expected at least 2")
        self.key, self.n_folds = key, n_folds

    def _cut(self, windows: Windows, labels: ndarray | None, seed: int) -> Iterator[Fold]:
        _, group = _enough(windows, str(self.key), self.n_folds)
        counts, rng = tally(windows, group, labels), np.random.default_rng(seed)
        hand_of = deal(counts, self.n_folds, rng)
        for number in range(self.n_folds):
            yield _fold(f"{number + 1}", windows, group, hand_of == number, counts, self.val, rng)


class LeaveOneOut(Split):
    """One fold per value of `key`, which is its test part. A test part may lack a class here: its group may."""

    every_class_in_test = False

    def __init__(self, key: str = "subject", val: float = 0.15, gap: float = 0.0, within: str | None = None) -> None:
        super().__init__(val, gap, within)
        self.key = key

    def _cut(self, windows: Windows, labels: ndarray | None, seed: int) -> Iterator[Fold]:
        names, group = _enough(windows, str(self.key), 2)
        counts, rng = tally(windows, group, labels), np.random.default_rng(seed)
        for number, name in enumerate(names):
            yield _fold(f"{self.key}={name}", windows, group, np.arange(len(names)) == number, counts, self.val, rng)


def _enough(windows: Windows, key: str, n_folds: int) -> tuple[list[str], Int[ndarray, "run"]]:
    names, group = groups(windows, key)
    if len(names) >= n_folds:
        return names, group
    several = [str(name) for name, column in windows.metadata.items() if column.astype(str).nunique() >= n_folds]
    lower = f"set n_folds to {len(names)}, or " if len(names) > 1 else ""
    raise ValueError(
        f"{len(windows)} windows have {len(names)} distinct {key} ({', '.join(map(repr, names[:5]))}), fewer than the {n_folds} folds: "
        f"{lower}split by time with TimeBlock, or by a column with enough values {several[:8]}"
    )


def _fold(
    name: str, windows: Windows, group: ndarray, in_test: ndarray, counts: ndarray, val: float, rng: np.random.Generator
) -> Fold:
    """Test is what `in_test` says of each group; val is a hand dealt from the others."""
    rest = np.flatnonzero(~in_test)
    in_val = np.zeros(len(in_test), bool)
    if val:
        if len(rest) < 2:
            raise ValueError(
                f"fold {name!r} trains on {len(rest)} group, which leaves none for validation: set val to 0 or use more groups"
            )
        in_val[rest] = deal(counts[rest], hands_for(val, len(rest)), rng) == 0
    train = ~in_test & ~in_val
    return Fold(name, windows.runs(train[group]), windows.runs(in_val[group]), windows.runs(in_test[group]))
