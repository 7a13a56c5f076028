"""Each value of a label (class, subject, study) is drawn equally often."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from data_loaders.samplers.base import Labels, Sampler
from data_loaders.samplers.hashing import mix, permute


class Balanced(Sampler):
    """Picks a group at random for each item, then the next window of that group's own shuffled order.

    `by` is a target or a column of the windows' metadata. Groups get equal shares however few windows they have.
    """

    def __init__(self, by: str) -> None:
        self.by = by

    def prepare(self, labels: Labels) -> None:
        _, group = np.unique(labels(self.by), return_inverse=True)
        self._members = [np.flatnonzero(group == one) for one in range(group.max() + 1)]

    def draw(self, step: int) -> Int[ndarray, "view item"]:
        place = step * self.batch_size + np.arange(self.batch_size)
        group = (mix(place, self.seed) % np.uint64(len(self._members))).astype(np.int64)
        drawn = [self._member(int(one), int(at)) for one, at in zip(group, place, strict=True)]
        return np.array(drawn)[None]  # [view, item]

    def _member(self, group: int, place: int) -> int:
        members = self._members[group]
        turn, index = divmod(place // len(self._members), len(members))
        return int(members[permute(np.array([index]), len(members), self.seed, group, turn)[0]])
