"""Contrastive draws by behaviour: a positive is the window whose label is nearest to the reference's label, moved a little.

Schneider, Lee and Mathis 2023, https://doi.org/10.1038/s41586-023-06031-6, Methods: the positive distribution of continuous
labels is the empirical distribution of label changes over `time_offset`.
"""

from __future__ import annotations

from typing import Literal

from jaxtyping import Int
from numpy import ndarray

from data_loaders.nearest import Nearest
from data_loaders.pairing import Ahead
from data_loaders.samplers.base import ContrastiveSampler, Labels, values


class TimeDelta(ContrastiveSampler):
    """Reference and negative are uniform; the positive has the label nearest to `label + change`, ties to the earliest.

    A change is that of the labels `time_offset` seconds apart within one run of windows, drawn at random. No window is
    its own positive: where labels are sparse that would be the rule, and an embedding of noise would fit it.
    `compat="paper"` allows it, draws changes across borders of runs too, and none for the first windows of the table.
    """

    def __init__(self, labels: list[str], time_offset: float = 0.01, compat: Literal["paper"] | None = None) -> None:
        self.labels, self.time_offset, self.compat = labels, time_offset, compat

    def prepare(self, labels: Labels) -> None:
        self._label = values(labels, self.labels, len(self.windows))
        self._nearest = Nearest(self._label)
        borders = self.compat is None
        self._change = Ahead.of(self.windows, self.time_offset, borders).changes(self._label, borders)

    def positive(self, reference: Int[ndarray, "item"], place: Int[ndarray, "item"]) -> Int[ndarray, "item"]:
        change = self._change[self.choose(place, 2, len(self._change))]
        return self._nearest.find(self._label[reference] + change, reference if self.compat is None else None)
