"""Every window once, in order: for validation, testing and prediction."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from data_loaders.samplers.base import Sampler


class Sequential(Sampler):
    """The last batch is short; past it, batches are empty."""

    def draw(self, step: int) -> Int[ndarray, "view item"]:
        start = step * self.batch_size
        return np.arange(start, start + self.n_items(step))[None]  # [view, item]

    def n_items(self, step: int) -> int:
        return max(0, min(self.batch_size, len(self.windows) - step * self.batch_size))
