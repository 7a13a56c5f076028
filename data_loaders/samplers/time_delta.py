"""Contrastive draws by behaviour: a positive is the window whose label is nearest to the reference's label, moved a little.

Schneider, Lee and Mathis 2023, "Learnable latent embeddings for joint behavioural and neural analysis", Methods: the
positive distribution of continuous labels is the empirical distribution of label changes over `time_offset`.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Int
from numpy import ndarray
from scipy.spatial import cKDTree

from data_loaders.samplers.base import Labels, Sampler
from data_loaders.samplers.hashing import mix


class TimeDelta(Sampler):
    """Three views: reference and negative are uniform; the positive has the label nearest to `label + change`.

    A change is that of the labels `time_offset` seconds apart within one recording's run of windows, drawn at random.
    """

    n_views = 3

    def __init__(self, labels: list[str], time_offset: float = 0.01) -> None:
        self.labels, self.time_offset = labels, time_offset

    def prepare(self, labels: Labels) -> None:
        columns = [np.asarray(labels(name), dtype=float).reshape(len(self.windows), -1) for name in self.labels]
        self._label = np.concatenate(columns, axis=1)  # [item, dim]
        self._tree = cKDTree(self._label)
        self._change = self._changes()

    def draw(self, step: int) -> Int[ndarray, "view item"]:
        place = step * self.batch_size + np.arange(self.batch_size)
        reference, negative = (self._any(place, view) for view in (0, 1))
        change = self._change[(mix(place, self.seed, 2) % np.uint64(len(self._change))).astype(np.int64)]
        _, positive = self._tree.query(self._label[reference] + change)
        return np.stack([reference, np.asarray(positive, dtype=np.int64), negative])

    def _any(self, place: Int[ndarray, "item"], view: int) -> Int[ndarray, "item"]:
        return (mix(place, self.seed, view) % np.uint64(len(self.windows))).astype(np.int64)

    def _changes(self) -> ndarray:
        run, _ = self.windows.locate(np.arange(len(self.windows)))
        lag = max(1, self._lag())
        same = run[lag:] == run[:-lag]
        if not same.any():
            raise ValueError(
                f"no run of windows is longer than time_offset={self.time_offset:g} s: tile with a shorter stride"
            )
        return (self._label[lag:] - self._label[:-lag])[same]

    def _lag(self) -> int:
        seconds = self.windows.stride[0] / self.windows.metadata["sfreq"].iloc[0]
        return round(self.time_offset / seconds)
