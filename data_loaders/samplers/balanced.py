"""Each value of a label (class, subject, study) is drawn equally often."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from data_loaders.samplers.base import Labels, OneByOne, by_run
from data_loaders.samplers.hashing import mix, permute


class Balanced(OneByOne):
    """Picks a group at random for each item, then the next window of that group's own shuffled order.

    `by` is a target or a column of the windows' metadata. Groups get equal shares however few windows they have. Memory
    grows with runs of windows, never with windows, unless the label changes within a run.
    """

    def __init__(self, by: str) -> None:
        self.by = by

    def prepare(self, labels: Labels) -> None:
        values, first, count = by_run(self.windows, labels, self.by)
        _, group = np.unique(values, return_inverse=True)
        order = np.argsort(group, kind="stable")
        self._first, self._ends = first[order], np.cumsum(count[order])
        # windows before each group, in the order of groups
        self._starts = np.r_[0, np.cumsum(np.bincount(group, count).astype(np.int64))]

    def at(self, place: Int[ndarray, "item"]) -> Int[ndarray, "item"]:
        n_groups = len(self._starts) - 1
        group = (mix(place, self.seed) % np.uint64(n_groups)).astype(np.int64)
        size = np.diff(self._starts)[group]
        turn, index = np.divmod(place // n_groups, size)
        for one, now in np.unique(np.stack([group, turn]), axis=1).T.tolist():
            chosen = (group == one) & (turn == now)
            index[chosen] = permute(index[chosen], int(size[chosen][0]), self.seed, one, now)
        member = self._starts[group] + index
        run = np.searchsorted(self._ends, member, side="right")
        return self._first[run] + member - np.r_[0, self._ends][run]
