"""Fills the rows of a batch with windows: from disk to their place, and changed there, by several threads at once."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise

import numpy as np
from jaxtyping import Float, Int, UInt8
from numpy import ndarray

from data_loaders import hands
from data_loaders.extents import TOGETHER, Bytes, Place
from data_loaders.plans import Plan, Scratch
from data_loaders.reads import Pieces

_SCRATCH = Scratch()
# bytes that a thread reads at once: few calls, and what is to be changed is still in its nearest cache
_AT_ONCE = 1 << 21
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
    longest = max(_n_bytes(plan) for plan in plans)
    together = max(1, min(_FILES, TOGETHER // max(1, longest)))
    for low, high in _cut(len(of), together):
        rows = _Rows(content, plans, of[low:high], start[low:high], block[low:high])
        hands.each(rows.fill, _cut(high - low, max(1, _AT_ONCE // max(1, longest))))


class _Rows:
    """Some rows of a batch, and where their bytes lie."""

    def __init__(self, content: Bytes, plans: Sequence[Plan], of: ndarray, start: ndarray, block: ndarray) -> None:
        self._plans, self._of, self._block = plans, of.tolist(), block
        # a window that needs neither conversion nor padding is read to where it stays
        direct = [plan.as_float and block.shape[1:] == (plan.n_times, plan.n_chans) for plan in plans]
        self._is_direct, self._is_ready = direct, all(direct) and all(plan.untouched for plan in plans)
        self._pieces = self._located(content, of, start)
        self._bytes = block.reshape(len(of), -1).view(np.uint8)

    def fill(self, part: tuple[int, int]) -> None:
        """Rows [low, high), in the calling thread."""
        low, high = part
        if self._is_ready:
            return self._pieces.read(low, list(self._bytes[low:high]))
        raw = self._memory(range(low, high))
        self._pieces.read(low, raw)
        for row, one in zip(range(low, high), raw, strict=True):
            plan = self._plans[self._of[row]]
            assert plan.extent is not None
            _change(plan, one.view(plan.extent.dtype).reshape(plan.n_times, -1), self._block[row])
        return None

    def _located(self, content: Bytes, of: Int[ndarray, "row"], start: Int[ndarray, "row"]) -> Pieces:
        places = []
        for plan in self._plans:
            assert plan.extent is not None
            places.append(Place(plan.entry.file, plan.entry.size, plan.extent))
        n_times = np.array([plan.n_times for plan in self._plans], np.int64)
        return content.pieces(places, of, start, start + n_times[of])

    def _memory(self, rows: range) -> list[UInt8[ndarray, "_"]]:
        """Where the bytes of each row go: its place, or this thread's own memory."""
        apart = [0 if self._is_direct[of] else _n_bytes(self._plans[of]) for of in self._of[rows.start : rows.stop]]
        ends = list(accumulate(apart, initial=0))
        scratch = _SCRATCH.take((ends[-1],), "u1")
        return [
            scratch[low:high] if high > low else self._bytes[row]
            for row, (low, high) in zip(rows, pairwise(ends), strict=True)
        ]


def _n_bytes(plan: Plan) -> int:
    """Bytes of a window as it lies on disk."""
    assert plan.extent is not None
    return (plan.n_times or 0) * plan.extent.row_bytes


def _cut(n: int, step: int) -> list[tuple[int, int]]:
    return [(low, min(low + step, n)) for low in range(0, n, step)]


def _change(plan: Plan, raw: ndarray, row: Float[ndarray, "time channel"]) -> None:
    """From what lay on disk to what a batch holds: SI units, transforms, zeros for bad channels and around a smaller window."""
    assert plan.chain is not None
    if plan.bads and plan.as_float:
        raw[:, plan.bads] = 0.0
    if row.shape == raw.shape:
        return plan.chain.run(raw, row)
    window = raw if plan.as_float else np.empty(raw.shape, np.float32)
    plan.chain.run(raw, window)
    row[: plan.n_times, : plan.n_chans] = window
    row[plan.n_times :], row[:, plan.n_chans :] = 0.0, 0.0
    return None
