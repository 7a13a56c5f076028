"""One fold that holds out people where a study has enough of them, and the end of each recording where it has not."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import numpy as np
from numpy import ndarray

from data_loaders.splits.base import Fold, Split, groups
from data_loaders.windows import Windows, concatenate

# below, a held-out person is too large a share of a study
_MIN_SUBJECTS = 4


class HoldOut(Split):
    """For pretraining on many studies at once: of each study the share `test` is tested, and `val` chooses when to stop.

    A study of four people or more gives whole people, drawn by the seed; of a smaller one the end of every segment is held
    out, which is a weaker test: its people are known. Which study is held out how is printed.
    """

    def __init__(self, test: float = 0.2, val: float = 0.1, gap: float = 1.0) -> None:
        super().__init__(val, gap)
        if not 0 < test <= 0.5:
            raise ValueError(f"test is {test:g}, expected a share of each study above 0 and up to 0.5, such as 0.2")
        self.test = test

    def _cut(self, windows: Windows, labels: ndarray | None, seed: int) -> Iterator[Fold]:
        names, study = groups(windows, "study")
        rng = np.random.default_rng(seed)
        parts = [self._of_study(name, windows.runs(study == number), rng) for number, name in enumerate(names)]
        yield Fold("held out", *(concatenate(list(part)) for part in zip(*parts, strict=True)))

    def _of_study(self, name: str, windows: Windows, rng: np.random.Generator) -> tuple[Windows, Windows, Windows]:
        """Train, val and test of one study."""
        people, subject = groups(windows, "subject")
        if len(people) < _MIN_SUBJECTS:
            print(f"split: {name} has {len(people)} subjects, so the end of every segment is held out")
            return self._by_time(windows)
        n_test, n_val = (math.ceil(share * len(people)) for share in (self.test, self.val))
        print(f"split: {name} has {len(people)} subjects, {n_test} are held out to test and {n_val} to validate")
        part = rng.permutation(np.repeat([2, 1, 0], [n_test, n_val, len(people) - n_test - n_val]))[subject]
        train, val, test = (windows.runs(part == which) for which in range(3))
        return train, val, test

    def _by_time(self, windows: Windows) -> tuple[Windows, Windows, Windows]:
        edges = [0.0, 1 - self.test - self.val, 1 - self.test, 1.0]
        at = [windows.first + windows.stride * np.round(windows.count * edge).astype(np.int64) for edge in edges]
        train, val, test = (windows.between(low, high) for low, high in itertools.pairwise(at))
        return train, val, test
