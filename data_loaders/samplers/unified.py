"""Contrastive draws for one encoder of all sessions at once: windows of every session at the same behaviour."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from data_loaders.nearest import NearestWithin
from data_loaders.pairing import Ahead, Members
from data_loaders.samplers.base import ContrastiveSampler, Labels, across, values


class Unified(ContrastiveSampler):
    """Items come in groups of one window per session, whose labels lie as near as the sessions allow.

    The encoder is `brainfm.encoders.unified.Unified`, which joins the units of a group. `batch_size` counts windows, so
    it is a multiple of the number of sessions. The sessions take turns in giving the window that others are matched to.
    Reference: the unified encoder of cebra 0.6.
    """

    def __init__(self, labels: list[str], time_offset: float = 0.01) -> None:
        self.labels, self.time_offset = labels, time_offset

    def prepare(self, labels: Labels) -> None:
        self._label = values(labels, self.labels, len(self.windows))
        session = across(self.windows)
        self._members, self._nearest = Members.of(session), NearestWithin(self._label, session)
        self._change = Ahead.of(self.windows, self.time_offset).changes(self._label)
        self.group = n = len(self._members.count)
        if self.batch_size % n:
            raise ValueError(
                f"batch_size is {self.batch_size}, expected a multiple of the {n} sessions: take {-(-self.batch_size // n) * n}"
            )

    def reference(self, place: Int[ndarray, "item"], view: int) -> Int[ndarray, "item"]:
        group, home = self._home(place)
        leader = self._members.pick(home, self.choose(group, view, self._members.count[home]))
        matched = self._matched(self._label[leader], place)
        return np.where(self._session(place) == home, leader, matched)

    def positive(self, reference: Int[ndarray, "item"], place: Int[ndarray, "item"]) -> Int[ndarray, "item"]:
        group, home = self._home(place)
        leader = reference.reshape(-1, len(self._members.count))[
            np.arange(len(place)) // len(self._members.count), home
        ]
        change = self._change[self.choose(group, 2, len(self._change))]
        return self._matched(self._label[leader] + change, place)

    def _session(self, place: Int[ndarray, "item"]) -> Int[ndarray, "item"]:
        return np.mod(place, len(self._members.count))

    def _home(self, place: Int[ndarray, "item"]) -> tuple[Int[ndarray, "item"], Int[ndarray, "item"]]:
        """The group of each item, and the session whose window leads it."""
        group = place // len(self._members.count)
        return group, np.mod(group, len(self._members.count))

    def _matched(self, label: Float[ndarray, "item dim"], place: Int[ndarray, "item"]) -> Int[ndarray, "item"]:
        return self._nearest.find(label, self._session(place))
