"""Shuffled blocks of neighbouring windows: a bucket is read in large pieces, and batches are still mixed."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from data_loaders.samplers.base import OneByOne
from data_loaders.samplers.hashing import mix, permute


class Blocks(OneByOne):
    """Every window once per pass. Blocks of `size` neighbouring windows come in a shuffled order, and the windows of `mixed`
    blocks at a time are shuffled among themselves.

    What is read within one such pool lies in `mixed` stretches, so each byte of a bucket is fetched once a pass. Where
    blocks begin is drawn anew for each pass. More mixed blocks shuffle better and need a larger cache.
    """

    def __init__(self, size: int = 64, mixed: int = 32) -> None:
        if size < 1 or mixed < 1:
            raise ValueError(f"size is {size} and mixed is {mixed}, expected at least 1 each, for example 64 and 32")
        self.size, self.mixed = size, mixed

    def at(self, place: Int[ndarray, "item"]) -> Int[ndarray, "item"]:
        passes, index = np.divmod(place, len(self.windows))
        drawn = np.empty_like(index)
        for one in np.unique(passes).tolist():
            drawn[passes == one] = self._pass(index[passes == one], one)
        return drawn

    def _pass(self, index: Int[ndarray, "item"], number: int) -> Int[ndarray, "item"]:
        n_windows, pool_size = len(self.windows), self.size * self.mixed
        pool, within = np.divmod(index, pool_size)
        for one in np.unique(pool).tolist():
            chosen = pool == one
            n_items = min(pool_size, n_windows - one * pool_size)
            within[chosen] = permute(within[chosen], n_items, self.seed, number, one, 1)
        block, offset = np.divmod(pool * pool_size + within, self.size)
        # the last block may be short: it keeps its place, and shifts with all others from pass to pass
        whole = block < n_windows // self.size
        block[whole] = permute(block[whole], n_windows // self.size, self.seed, number, 2)
        shift = int(mix(number, self.seed, 3)[0] % np.uint64(n_windows))
        return (block * self.size + offset + shift) % n_windows
