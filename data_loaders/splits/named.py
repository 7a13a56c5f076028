"""One fold that tests on groups called by name: the stories, sessions or people that others have tested on, too."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence

import numpy as np
from numpy import ndarray

from data_loaders.splits.base import Fold, Split, deal, groups, hands_for, tally
from data_loaders.windows import Windows


class Named(Split):
    """Tests on the values of `key` in `test` and trains on the others, so that results compare with published ones.

    A test part may lack a class here. Raises ValueError for a value that no window has, with the nearest one.
    """

    every_class_in_test = False

    def __init__(self, key: str, test: Sequence[str], val: float = 0.15, gap: float = 0.0) -> None:
        super().__init__(val, gap)
        if not test:
            raise ValueError(f"test is empty: name values of {key} to test on")
        self.key, self.test = key, list(map(str, test))

    def _cut(self, windows: Windows, labels: ndarray | None, seed: int) -> Iterator[Fold]:
        names, group = groups(windows, str(self.key))
        for asked in self.test:
            if asked not in names:
                near = (difflib.get_close_matches(asked, names, 1) or names[:1])[0]
                raise ValueError(f"no window has the {self.key} {asked!r}: did you mean {near!r}?")
        in_test = np.isin(names, self.test)
        in_val = np.zeros(len(names), bool)
        rest = np.flatnonzero(~in_test)
        if self.val and len(rest) > 1:
            hands = deal(
                tally(windows, group, labels)[rest], hands_for(self.val, len(rest)), np.random.default_rng(seed)
            )
            in_val[rest] = hands == 0
        parts = (~in_test & ~in_val, in_val, in_test)
        train, val, test = (windows.runs(part[group]) for part in parts)
        yield Fold(", ".join(self.test), train, val, test)
