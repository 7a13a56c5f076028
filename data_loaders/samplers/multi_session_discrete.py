"""Contrastive draws across sessions by class: a positive is any session's window of the reference's class."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from data_loaders.pairing import Members
from data_loaders.samplers.base import ContrastiveSampler, Labels, across, classes


class MultiSessionDiscrete(ContrastiveSampler):
    """Every session gives the same number of references and negatives; positives are dealt out to sessions at random.

    A class that a session lacks takes its positives from the sessions that have it.
    Reference: Schneider, Lee and Mathis 2023, Methods, "multi-session".
    """

    def __init__(self, labels: list[str]) -> None:
        self.labels = labels

    def prepare(self, labels: Labels) -> None:
        code, session = classes(labels, self.labels, len(self.windows), alone=False), across(self.windows)
        self._session, self._code, n_sessions = Members.of(session), code, session.max() + 1
        count = np.bincount(code * n_sessions + session, minlength=(code.max() + 1) * n_sessions)
        # cells of class x session that hold no window are never picked
        cells = Members.of(code * n_sessions + session)
        self._cells, self._has = cells, count.reshape(-1, n_sessions) > 0

    def reference(self, place: Int[ndarray, "item"], view: int) -> Int[ndarray, "item"]:
        session = np.mod(place, len(self._session.count))
        return self._session.pick(session, self.choose(place, view, self._session.count[session]))

    def positive(self, reference: Int[ndarray, "item"], place: Int[ndarray, "item"]) -> Int[ndarray, "item"]:
        code, dealt = self._code[reference], self._session.codes[reference][self.permuted(place)]
        # from the session it was dealt to, on to the next that has the class
        n_sessions = self._has.shape[1]
        turns = np.mod(dealt[:, None] + np.arange(n_sessions), n_sessions)  # [item, turn]
        turn = np.take_along_axis(self._has[code], turns, axis=1).argmax(1)
        cell = code * n_sessions + turns[np.arange(len(turns)), turn]
        return self._cells.pick(cell, self.choose(place, 2, self._cells.count[cell]))
