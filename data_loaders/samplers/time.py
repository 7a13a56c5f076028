"""Contrastive draws by time: the positive is the window a fixed time after the reference."""

from __future__ import annotations

from typing import Literal

from jaxtyping import Int
from numpy import ndarray

from data_loaders.pairing import Ahead
from data_loaders.samplers.base import ContrastiveSampler, Labels


class Time(ContrastiveSampler):
    """Reference and negative are uniform over the windows that have one `time_offset` seconds after them in their run.

    A run of windows never crosses a trial's border. `compat="paper"` ignores borders: the positive is that many windows
    further in the whole table.
    Reference: Schneider, Lee and Mathis 2023, https://doi.org/10.1038/s41586-023-06031-6, Methods
    """

    def __init__(self, time_offset: float = 0.01, compat: Literal["paper"] | None = None) -> None:
        self.time_offset, self.compat = time_offset, compat

    def prepare(self, labels: Labels) -> None:
        self._ahead = Ahead.of(self.windows, self.time_offset, borders=self.compat is None)

    def reference(self, place: Int[ndarray, "item"], view: int) -> Int[ndarray, "item"]:
        return self._ahead.valid[self.choose(place, view, len(self._ahead.valid))]

    def references(self) -> Int[ndarray, "window"]:
        return self._ahead.valid

    def positive(self, reference: Int[ndarray, "item"], place: Int[ndarray, "item"]) -> Int[ndarray, "item"]:
        return self._ahead.partner[reference]
