"""Batches of windows that are alike in size, so that little of a batch is padding."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from data_loaders.samplers.base import Labels, OneByOne, by_run
from data_loaders.samplers.hashing import permute


class Bucketed(OneByOne):
    """Every window once per pass; a batch holds windows of one size, or of two neighbouring sizes where they meet.

    `by` lists what sizes are told apart by: `n_chans` (channels after the transforms), `n_times` (samples), or columns of
    the metadata. Within a size windows are shuffled, and whole batches are. The order is one for all ranks, so that they
    wait for each other as little as they can. Memory grows with runs of windows, never with windows.
    """

    def __init__(self, by: list[str] | None = None) -> None:
        self.by = ["n_chans", "n_times"] if by is None else by

    def prepare(self, labels: Labels) -> None:
        columns = [by_run(self.windows, labels, name) for name in self.by]
        # columns may change at different windows: a stretch is where none does
        first = np.unique(np.concatenate([first for _, first, _ in columns]))
        sizes = [values[np.searchsorted(begins, first, side="right") - 1] for values, begins, _ in columns]
        size = np.diff(np.r_[first, len(self.windows)])
        _, bucket = np.unique(np.stack(sizes), axis=1, return_inverse=True)
        order = np.argsort(bucket.reshape(-1), kind="stable")
        self._first, self._ends = first[order], np.cumsum(size[order])
        self._starts = np.r_[0, np.cumsum(np.bincount(bucket.reshape(-1), size).astype(np.int64))]

    def at(self, place: Int[ndarray, "item"]) -> Int[ndarray, "item"]:
        passes, index = np.divmod(place, len(self.windows))
        drawn = np.empty_like(index)
        for one in np.unique(passes).tolist():
            drawn[passes == one] = self._pass(index[passes == one], one)
        return drawn

    def _pass(self, index: Int[ndarray, "item"], number: int) -> Int[ndarray, "item"]:
        n_windows, rank = len(self.windows), self._shuffled(index, number)
        if number % 2:
            # up and down in turn: a batch that lies in two passes holds one size
            rank = n_windows - 1 - rank
        bucket = np.searchsorted(self._starts, rank, side="right") - 1
        within = rank - self._starts[bucket]
        for one in np.unique(bucket).tolist():
            chosen = bucket == one
            n_items = int(self._starts[one + 1] - self._starts[one])
            within[chosen] = permute(within[chosen], n_items, self.seed, number, one)
        member = self._starts[bucket] + within
        run = np.searchsorted(self._ends, member, side="right")
        return self._first[run] + member - np.r_[0, self._ends][run]

    def _shuffled(self, index: Int[ndarray, "item"], number: int) -> Int[ndarray, "item"]:
        """Places in a pass once its whole batches are shuffled; the batches that it shares with its neighbours stay."""
        head = -number * len(self.windows) % self.batch_size
        batch, item = np.divmod(index - head, self.batch_size)
        n_batches = (len(self.windows) - head) // self.batch_size
        moved = (index >= head) & (batch < n_batches)
        batch[moved] = permute(batch[moved], n_batches, self.seed, number, -1)
        return batch * self.batch_size + item + head
