"""The split that holds nothing out for testing: whoever asks has the test part elsewhere."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy import ndarray

from data_loaders.splits.base import Fold, Split
from data_loaders.windows import Windows

# below, a held-out person is too large a share of all
_MIN_SUBJECTS = 4


class Whole(Split):
    """One fold with every window in its training or validation part, and an empty test part.

    Whole people are set aside to validate where there are four or more, else the share `val` of each class.
    """

    def folds(self, windows: Windows, labels: ndarray | None = None, seed: int = 0) -> list[Fold]:
        return list(self._cut(windows, labels, seed))

    def _cut(self, windows: Windows, labels: ndarray | None, seed: int) -> Iterator[Fold]:
        rng, every = np.random.default_rng(seed), np.arange(len(windows))
        subject = windows.column("subject")
        people = np.unique(subject)
        if len(people) >= _MIN_SUBJECTS:
            held = np.isin(subject, rng.permutation(people)[: math.ceil(self.val * len(people))])
        else:
            held = _some_of_each(np.zeros(len(windows)) if labels is None else labels, self.val, rng)
        yield Fold("all", windows.take(every[~held]), windows.take(every[held]), windows.take(every[:0]))


def _some_of_each(labels: ndarray, share: float, rng: np.random.Generator) -> ndarray:
    """True for a random share of each class; a class keeps at least one window to train on."""
    held = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        of_label = rng.permutation(np.flatnonzero(labels == label))
        held[of_label[: min(round(share * len(of_label)), len(of_label) - 1)]] = True
    return held
