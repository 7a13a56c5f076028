"""Batches whose bytes come from far away: drawn once, asked for early, gathered later."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from data_loaders.contracts import Batch

# batches that are announced before they are gathered: enough to keep all connections busy, and nothing but disk
FAR = 16
# so many at once: what they have in common is found once
TOGETHER = 8

Share = tuple[Int[ndarray, "view item"], Int[ndarray, "item"]]


class Announced:
    """Gathers batches of consecutive steps from `first`, up to `stop` where there is an end. Thread-safe.

    Whoever gathers announces: the thread that trains would have to share Python's lock with it.
    """

    def __init__(self, gather: Any, share: Callable[[int], Share], first: int, stop: int | None) -> None:
        self._gather, self._share, self._next, self._stop = gather, share, first, stop
        self._drawn: dict[int, Share] = {}
        self._lock = threading.Lock()

    def batch(self, step: int) -> Batch:
        """The batch of a step; what later ones will read is asked for before it is gathered."""
        with self._lock:
            while self._next <= step + FAR and self._next != self._stop:
                self._ask()
            share = self._drawn.pop(step)
        return self._gather(*share)

    def _ask(self) -> None:
        last = self._next + TOGETHER
        steps = range(self._next, last if self._stop is None else min(last, self._stop))
        shares = [self._share(step) for step in steps]
        self._gather.announce(np.concatenate([positions for positions, _ in shares], axis=1))
        self._drawn.update(zip(steps, shares, strict=True))
        self._next = steps.stop
