"""Contrastive draws by behaviour: a positive is the window whose label is nearest to the reference's label, moved a little.

Schneider, Lee and Mathis 2023, https://doi.org/10.1038/s41586-023-06031-6, Methods: the positive distribution of continuous
labels is the empirical distribution of label changes over `time_offset`.
"""

from __future__ import annotations

from typing import Literal

from jaxtyping import Int
from numpy import ndarray

from data_loaders.nearest import Nearest
from data_loaders.pairing import changes, lag_of
from data_loaders.samplers.base import ContrastiveSampler, Labels, values


class TimeDelta(ContrastiveSampler):
    """Reference and negative are uniform; the positive has the label nearest to `label + change`, ties to the earliest.

    A change is that of the labels `time_offset` seconds apart within one run of windows, drawn at random.
    `compat="paper"` also draws changes across borders of runs, and no change for the first windows of the table.
    """

    def __init__(self, labels: list[str], time_offset: float = 0.01, compat: Literal["paper"] | None = None) -> None:
        self.labels, self.time_offset, self.compat = labels, time_offset, compat

    def prepare(self, labels: Labels) -> None:
        self._label = values(labels, self.labels, len(self.windows))
        self._nearest = Nearest(self._label)
        lag = lag_of(self.windows, self.time_offset)
        self._change = changes(self.windows, self._label, lag, borders=self.compat is None)

    def positive(self, reference: Int[ndarray, "item"], place: Int[ndarray, "item"]) -> Int[ndarray, "item"]:
        change = self._change[self.choose(place, 2, len(self._change))]
        return self._nearest.find(self._label[reference] + change)
