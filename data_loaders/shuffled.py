"""The shuffle control: every window keeps its labels and gets the signal of another window of its recording."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Int
from numpy import ndarray

from data_loaders.contracts import Batch
from data_loaders.gather import Gather
from data_loaders.samplers.hashing import permute
from data_loaders.windows import Windows


@dataclass(frozen=True)
class ShuffledGather:
    """Gathers as the real one does, but for a permutation of windows that is the same at every call.

    What is learned from such batches, and how well it is judged, says what the procedure finds where nothing is.
    """

    gather: Gather
    seed: int

    def __call__(self, positions: Int[ndarray, "view item"], place: Int[ndarray, "item"] | None = None) -> Batch:
        flat, windows = positions.reshape(-1), self.gather.windows
        batch = self.gather(swapped(windows, flat, self.seed).reshape(positions.shape), place)
        targets = {target.name: target.read(windows, flat) for target in self.gather.targets}
        return replace(batch, window_id=torch.from_numpy(windows.ids(flat)), targets=targets)


def swapped(windows: Windows, positions: Int[ndarray, "row"], seed: int) -> Int[ndarray, "row"]:
    """For each window another one of the same recording, by a keyed permutation of that recording's windows."""
    found, recording = positions.copy(), windows.recording[windows.locate(positions)[0]]
    begins = np.cumsum(windows.count) - windows.count
    for one in np.unique(recording):
        runs, mine = np.flatnonzero(windows.recording == one), recording == one
        count = windows.count[runs]
        # the windows of a recording, numbered without gaps wherever its runs stand in the table
        local = np.cumsum(count) - count
        run = np.searchsorted(begins[runs], positions[mine], side="right") - 1
        number = local[run] + positions[mine] - begins[runs][run]
        other = permute(number, int(count.sum()), seed, int(one))
        run = np.searchsorted(local, other, side="right") - 1
        found[mine] = begins[runs][run] + other - local[run]
    return found
