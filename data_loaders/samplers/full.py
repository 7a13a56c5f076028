"""Full batches: every window is a reference at every step, paired as another sampler pairs."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from data_loaders.samplers.base import ContrastiveSampler, Labels, Sampler
from data_loaders.samplers.hashing import permute


class Full(Sampler):
    """References are all windows in order, negatives the same in an order that changes with the step.

    `of` gives the positives. The recipe's `batch_size` is set aside. For short sessions and exact gradients.
    Reference: Schneider, Lee and Mathis 2023, Methods; the published code has it for time and continuous labels only.
    """

    def __init__(self, of: ContrastiveSampler) -> None:
        self.of, self.n_views = of, of.n_views

    def prepare(self, labels: Labels) -> None:
        bound = self.of.bind(self.windows, self.batch_size, self.seed, labels)
        assert isinstance(bound, ContrastiveSampler), "a bound sampler is a copy"
        if bound.group > 1:
            raise ValueError(
                f"Full takes every window once, and {type(bound).__name__} draws groups of {bound.group} that belong together: "
                f"take {type(bound).__name__} without Full"
            )
        self._of, self._reference = bound, bound.references()
        self.batch_size = len(self._reference)

    def draw(self, step: int) -> Int[ndarray, "view item"]:
        index = np.arange(self.batch_size)
        negative = self._reference[permute(index, self.batch_size, self.seed, step)]
        return self._of.views(self._reference, negative, step * self.batch_size + index)
