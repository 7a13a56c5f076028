"""Every window once per pass, in an order that is shuffled anew for each pass."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from data_loaders.samplers.base import OneByOne
from data_loaders.samplers.hashing import permute


class Shuffle(OneByOne):
    """Endless: the remainder of a pass flows into the next, so that no window is dropped and every batch is full."""

    def at(self, place: Int[ndarray, "item"]) -> Int[ndarray, "item"]:
        passes, index = np.divmod(place, len(self.windows))
        drawn = np.empty_like(index)
        for one in np.unique(passes):
            drawn[passes == one] = permute(index[passes == one], len(self.windows), self.seed, int(one))
        return drawn
