"""What a sampler is: which windows come next, as a pure function of (seed, step)."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar

from jaxtyping import Int
from numpy import ndarray

from data_loaders.windows import Windows

Labels = Callable[[str], ndarray]


class Sampler(ABC):
    """Draws positions in a table of windows. The order does not depend on ranks, and its state is one integer: the step.

    A recipe gives a leaf its own arguments; the data module binds it to the training windows.
    """

    n_views: ClassVar[int] = 1
    windows: Windows
    batch_size: int
    seed: int

    def bind(self, windows: Windows, batch_size: int, seed: int, labels: Labels) -> Sampler:
        """A copy that draws `batch_size` items (over all ranks) from these windows; `labels(name)` has a row per window."""
        if batch_size < 1:
            raise ValueError(f"batch_size is {batch_size}, expected at least 1, for example 64")
        bound = copy.copy(self)
        bound.windows, bound.batch_size, bound.seed = windows, batch_size, seed
        bound.prepare(labels)
        return bound

    def prepare(self, labels: Labels) -> None:  # noqa: B027  (a leaf without labels has nothing to look up)
        """Looks up, once, what the draws need."""

    @abstractmethod
    def draw(self, step: int) -> Int[ndarray, "view item"]:
        """The positions of the windows in the global batch of this step."""
