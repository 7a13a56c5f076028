"""Contrastive draws by class and behaviour: the positive has the reference's class and the nearest moved label."""

from __future__ import annotations

from typing import Literal

from jaxtyping import Int
from numpy import ndarray

from data_loaders.nearest import NearestWithin
from data_loaders.pairing import Ahead, Members
from data_loaders.samplers.base import ContrastiveSampler, Labels, classes, values


class Mixed(ContrastiveSampler):
    """Each class is drawn equally often; the positive is searched as in TimeDelta among the windows of the same class.

    `labels` are continuous, `classes` discrete. Reference: Schneider, Lee and Mathis 2023, Methods.
    """

    def __init__(
        self,
        labels: list[str],
        classes: list[str],
        time_offset: float = 0.01,
        compat: Literal["paper"] | None = None,
    ) -> None:
        self.labels, self.classes, self.time_offset, self.compat = labels, classes, time_offset, compat

    def prepare(self, labels: Labels) -> None:
        self._label = values(labels, self.labels, len(self.windows))
        self._members = Members.of(classes(labels, self.classes, len(self.windows)))
        self._nearest = NearestWithin(self._label, self._members.codes)
        borders = self.compat is None
        self._change = Ahead.of(self.windows, self.time_offset, borders).changes(self._label, borders)

    def reference(self, place: Int[ndarray, "item"], view: int) -> Int[ndarray, "item"]:
        code = self.choose(place, 10 + view, len(self._members.count))
        return self._members.pick(code, self.choose(place, view, self._members.count[code]))

    def positive(self, reference: Int[ndarray, "item"], place: Int[ndarray, "item"]) -> Int[ndarray, "item"]:
        change = self._change[self.choose(place, 2, len(self._change))]
        return self._nearest.find(
            self._label[reference] + change, self._members.codes[reference], reference if self.compat is None else None
        )
