"""Fills the rows of a batch with windows: from disk to their place, and changed there, by several threads at once."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from data_loaders import hands
from data_loaders.extents import TOGETHER, Bytes, Stretches
from data_loaders.plans import Plan, Scratch

_SCRATCH = Scratch()
# bytes that a thread reads at once: few calls, and what is to be changed is still in its nearest cache
_AT_ONCE = 1 << 20
# windows whose files are open together: far below the 1,024 descriptors that a process usually has
_FILES = 128


def fill(
    content: Bytes,
    plans: Sequence[Plan],
    of: Int[ndarray, "row"],
    start: Int[ndarray, "row"],
    block: Float[ndarray, "row time channel"],
) -> None:
    """Row r of the block becomes the window of `plans[of[r]]` that begins at sample `start[r]`, with zeros around a smaller one."""
    if not block.size:
        return
    longest = max(plan.n_bytes for plan in plans)
    together = max(1, min(_FILES, TOGETHER // max(1, longest)))
    for low, high in _cut(0, len(of), together):
        # no file is opened but those of these rows
        used, own = np.unique(of[low:high], return_inverse=True)
        rows = _Rows(content, [plans[one] for one in used.tolist()], own, start[low:high], block[low:high])
        hands.each(rows.fill, rows.parts(max(1, _AT_ONCE // max(1, longest))))


class _Rows:
    """Some rows of a batch, and where their bytes lie."""

    def __init__(self, content: Bytes, plans: Sequence[Plan], of: ndarray, start: ndarray, block: ndarray) -> None:
        self._plans, self._of, self._block = plans, of, block
        n_times = np.array([plan.n_times for plan in plans], np.int64)
        asked = Stretches([plan.place for plan in plans], of, start, start + n_times[of])
        self._pieces = content.pieces(asked)

    def parts(self, most: int) -> list[tuple[int, int]]:
        """Rows [low, high) that are treated alike, so that one call changes them together, at most so many."""
        kinds: dict[Any, int] = {}
        kind = np.array([kinds.setdefault(plan.treatment, len(kinds)) for plan in self._plans])
        changes = (1 + np.flatnonzero(np.diff(kind[self._of]))).tolist() if len(kinds) > 1 else []
        runs = pairwise([0, *changes, len(self._of)])
        return [part for low, high in runs for part in _cut(low, high, most)]

    def fill(self, part: tuple[int, int]) -> None:
        """Rows [low, high), in the calling thread."""
        low, high = part
        plan, rows = self._plans[self._of[low]], self._block[low:high]
        # a window that needs neither conversion nor padding is read to where it stays
        direct = plan.as_float and rows.shape[1:] == (plan.n_times, plan.n_chans)
        memory = (
            rows.reshape(len(rows), -1).view(np.uint8) if direct else _SCRATCH.take((len(rows), plan.n_bytes), "u1")
        )
        self._pieces.read(low, list(memory))
        if not (direct and plan.untouched):
            _change(plan, memory.view(plan.place.extent.dtype).reshape(-1, plan.n_chans), rows)


def _cut(low: int, high: int, step: int) -> list[tuple[int, int]]:
    return [(start, min(start + step, high)) for start in range(low, high, step)]


def _change(plan: Plan, raw: ndarray, rows: Float[ndarray, "row time channel"]) -> None:
    """From what lay on disk to what a batch holds: SI units, transforms, zeros for bad channels and around smaller windows."""
    assert plan.chain is not None
    if plan.bads and plan.as_float:
        raw[:, plan.bads] = 0.0
    fits = rows.shape[1:] == (plan.n_times, plan.n_chans)
    # floats are changed where they are: in their place, or in memory from which they are copied
    window = raw if plan.as_float else rows.reshape(raw.shape) if fits else np.empty(raw.shape, np.float32)
    plan.chain.run(raw, window)
    if not fits:
        rows[:, : plan.n_times, : plan.n_chans] = window.reshape(len(rows), -1, plan.n_chans)
        rows[:, plan.n_times :], rows[:, :, plan.n_chans :] = 0.0, 0.0
