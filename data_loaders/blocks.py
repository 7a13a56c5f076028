"""Memory for batches, used again once nobody holds the batch that was made of it: fresh pages cost as much as a copy."""

from __future__ import annotations

import sys
import threading

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray

# idle blocks beyond these are given back
_SPARE = 4


class Blocks:
    """Lends blocks of float32. Those that a batch still holds are never lent again; a few idle ones are kept."""

    def __init__(self) -> None:
        self._blocks: list[ndarray] = []
        self._lock = threading.Lock()

    def take(self, shape: tuple[int, ...]) -> Float[ndarray, "row time channel"]:
        """A block of this shape, its values undefined. Page-locked where this process uses CUDA: copies to it are faster."""
        size = int(np.prod(shape))
        if torch.cuda.is_initialized():
            # torch keeps its own page-locked blocks, and waits for copies that are still under way
            return torch.empty(shape, pin_memory=True).numpy()
        with self._lock:
            return self._lent(size)[:size].reshape(shape)

    def _lent(self, size: int) -> Float[ndarray, "value"]:
        idle = []
        for block in self._blocks:
            # held by the list, this loop and the call itself: three references mean that no batch holds it
            if sys.getrefcount(block) <= 3:
                # a block much too large would be held for little
                if size <= block.size <= 2 * size:
                    return block
                idle.append(block)
        surplus = {id(block) for block in idle[: max(0, len(idle) - _SPARE)]}
        block = None
        self._blocks = [kept for kept in self._blocks if id(kept) not in surplus]
        self._blocks.append(np.empty(size, np.float32))
        return self._blocks[-1]


BLOCKS = Blocks()
