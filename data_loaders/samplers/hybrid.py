"""Contrastive draws by behaviour and time at once: each reference has two positives."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from data_loaders.nearest import Nearest
from data_loaders.pairing import Ahead
from data_loaders.samplers.base import ContrastiveSampler, Labels, values


class Hybrid(ContrastiveSampler):
    """Four views: reference, positive by behaviour (as in TimeDelta), negative, positive by time (as in Time).

    The objective is InfoNCE with `hybrid`. Reference: Schneider, Lee and Mathis 2023, Methods, "CEBRA-Hybrid".
    """

    n_views = 4

    def __init__(self, labels: list[str], time_offset: float = 0.01) -> None:
        self.labels, self.time_offset = labels, time_offset

    def prepare(self, labels: Labels) -> None:
        self._label = values(labels, self.labels, len(self.windows))
        self._nearest = Nearest(self._label)
        self._ahead = Ahead.of(self.windows, self.time_offset)
        self._change = self._ahead.changes(self._label)

    def reference(self, place: Int[ndarray, "item"], view: int) -> Int[ndarray, "item"]:
        return self._ahead.valid[self.choose(place, view, len(self._ahead.valid))]

    def references(self) -> Int[ndarray, "window"]:
        return self._ahead.valid

    def positive(self, reference: Int[ndarray, "item"], place: Int[ndarray, "item"]) -> Int[ndarray, "item"]:
        change = self._change[self.choose(place, 2, len(self._change))]
        return self._nearest.find(self._label[reference] + change, reference)

    def views(
        self, reference: Int[ndarray, "item"], negative: Int[ndarray, "item"], place: Int[ndarray, "item"]
    ) -> Int[ndarray, "view item"]:
        behaviour = self.positive(reference, place)
        return np.stack([reference, behaviour, negative, self._ahead.partner[reference]])
