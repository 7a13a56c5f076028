"""Contrastive draws by class: the positive is another window with the reference's label."""

from __future__ import annotations

from typing import Literal

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from data_loaders.pairing import Members
from data_loaders.samplers.base import ContrastiveSampler, Labels, classes


class Discrete(ContrastiveSampler):
    """References and negatives come from all windows alike (`empirical`), or from each class equally often (`balanced`).

    The positive is drawn from the other windows of the class. Several `labels` make one class per combination. Ids may
    have gaps: the published sampler gives classes behind a gap too large a share. `compat="paper"` lets a reference be its
    own positive. Raises ValueError for a class of one window.
    Reference: Schneider, Lee and Mathis 2023, Methods.
    """

    def __init__(
        self,
        labels: list[str],
        prior: Literal["empirical", "balanced"] = "empirical",
        compat: Literal["paper"] | None = None,
    ) -> None:
        self.labels, self.prior, self.compat = labels, prior, compat

    def prepare(self, labels: Labels) -> None:
        self._members = Members.of(classes(labels, self.labels, len(self.windows), alone=self.compat is not None))

    def reference(self, place: Int[ndarray, "item"], view: int) -> Int[ndarray, "item"]:
        if self.prior == "empirical":
            return self.choose(place, view, len(self.windows))
        code = self.choose(place, 10 + view, len(self._members.count))
        return self._members.pick(code, self.choose(place, view, self._members.count[code]))

    def positive(self, reference: Int[ndarray, "item"], place: Int[ndarray, "item"]) -> Int[ndarray, "item"]:
        code = self._members.codes[reference]
        if self.compat == "paper":
            return self._members.pick(code, self.choose(place, 2, self._members.count[code]))
        # a step of 1 to count - 1 around the class, so that no window is its own positive
        step = 1 + self.choose(place, 2, self._members.count[code] - 1)
        rank = self._members.rank[reference]
        return self._members.pick(code, np.mod(rank + step, self._members.count[code]))
