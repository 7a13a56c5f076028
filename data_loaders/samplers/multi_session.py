"""Contrastive draws across sessions by behaviour: a positive may lie in another session than its reference."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from data_loaders.nearest import NearestWithin
from data_loaders.pairing import Ahead, Members
from data_loaders.samplers.base import ContrastiveSampler, Labels, across, values


class MultiSession(ContrastiveSampler):
    """Every session gives the same number of references and negatives; items alternate between sessions.

    Changes of labels are pooled over all sessions. The moved labels of a batch are dealt out to the sessions at random,
    each session getting as many as it gave, and searched there. Labels must mean the same in all sessions.
    Reference: Schneider, Lee and Mathis 2023, Methods, "multi-session".
    """

    def __init__(self, labels: list[str], time_offset: float = 0.01) -> None:
        self.labels, self.time_offset = labels, time_offset

    def prepare(self, labels: Labels) -> None:
        self._label = values(labels, self.labels, len(self.windows))
        session = across(self.windows)
        self._members, self._nearest = Members.of(session), NearestWithin(self._label, session)
        self._change = Ahead.of(self.windows, self.time_offset).changes(self._label)

    def reference(self, place: Int[ndarray, "item"], view: int) -> Int[ndarray, "item"]:
        session = np.mod(place, len(self._members.count))
        return self._members.pick(session, self.choose(place, view, self._members.count[session]))

    def positive(self, reference: Int[ndarray, "item"], place: Int[ndarray, "item"]) -> Int[ndarray, "item"]:
        change = self._change[self.choose(place, 2, len(self._change))]
        dealt = self._members.codes[reference][self.permuted(place)]
        return self._nearest.find(self._label[reference] + change, dealt, reference)
