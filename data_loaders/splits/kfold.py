"""Random folds of windows that do not touch: trials and other events, each class shared evenly."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from data_loaders.intervals import seconds, spans
from data_loaders.splits.base import Fold, Split, hands_for
from data_loaders.windows import Windows


class KFold(Split):
    """Stratified folds of single windows, by default for each subject apart (one model per subject and fold).

    Raises ValueError where windows overlap or touch and no gap is set, for a neighbour in training gives a test window away.
    """

    def __init__(self, n_folds: int = 5, within: str | None = "subject", val: float = 0.15, gap: float = 0.0) -> None:
        super().__init__(val, gap, within)
        if n_folds < 2:
            raise ValueError(f"n_folds is {n_folds}, expected at least 2")
        self.n_folds = n_folds

    def _cut(self, windows: Windows, labels: ndarray | None, seed: int) -> Iterator[Fold]:
        if self.gap == 0:
            _check_apart(windows)
        rng, every = np.random.default_rng(seed), np.arange(len(windows))
        classes = np.zeros(len(windows), np.int64) if labels is None else np.unique(labels, return_inverse=True)[1]
        fold_of = _dealt(classes, self.n_folds, rng)
        for number in range(self.n_folds):
            test, rest = every[fold_of == number], every[fold_of != number]
            in_val = (
                _dealt(classes[rest], hands_for(self.val, len(rest)), rng) == 0
                if self.val
                else np.zeros(len(rest), bool)
            )
            yield Fold(f"{number + 1}", *(windows.take(index) for index in (rest[~in_val], rest[in_val], test)))


def _dealt(classes: Int[ndarray, "window"], n_hands: int, rng: np.random.Generator) -> Int[ndarray, "window"]:
    """Deals the windows round, class by class, each in random order."""
    order = rng.permutation(len(classes))
    order = order[np.argsort(classes[order], kind="stable")]
    hand_of = np.empty(len(classes), dtype=np.int64)
    hand_of[order] = np.arange(len(classes)) % n_hands
    return hand_of


def _check_apart(windows: Windows) -> None:
    """Refuses windows of one segment with less than a sample between them."""
    singles = windows.take(np.arange(len(windows)))
    start, stop = spans(singles)
    segment = singles.metadata["segment"].to_numpy()
    order = np.lexsort((start, segment, singles.recording))
    same = (singles.recording[order][1:] == singles.recording[order][:-1]) & (segment[order][1:] == segment[order][:-1])
    close = np.flatnonzero(same & (start[order][1:] <= stop[order][:-1]))
    if len(close):
        name = singles.metadata["recording_name"].iat[order[close[0]]]
        (a, b), (c, d) = (seconds(singles, int(order[close[0] + k])) for k in (0, 1))
        raise ValueError(
            f"{len(close)} windows overlap or touch the next, such as {name} [{a:.3f}, {b:.3f}) s and [{c:.3f}, {d:.3f}) s, "
            f"and a random split puts neighbours into train and test: split with TimeBlock(gap=1.0), or shorten the fields"
        )
