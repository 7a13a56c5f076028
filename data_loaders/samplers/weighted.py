"""Windows are drawn as often as their weights say: large datasets are held down, rare ones lifted."""

from __future__ import annotations

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from numpy import ndarray

from data_loaders.samplers.base import Labels, OneByOne, by_run
from data_loaders.samplers.hashing import mix, uniform


class Weighted(OneByOne):
    """Draws windows with replacement, each as often as its weight.

    `by` is a target or a column of the windows' metadata. With `weights`, such as {HBN: 1.0, TUH: 0.2}, each value has a
    weight, and those not named have 1; without, the column holds the weights themselves. `per` says whether a weight
    counts for each `window`, so that long recordings weigh more, or for all windows of the `value` together: with equal
    weights, every dataset is then seen equally often. Memory grows with runs of windows, never with windows.
    """

    def __init__(self, by: str, weights: dict[str, float] | None = None, per: str = "window") -> None:
        if per not in ("window", "value"):
            raise ValueError(f"per is {per!r}, expected 'window' or 'value'")
        if any(weight < 0 for weight in (weights or {}).values()):
            raise ValueError(f"weights are {weights}: none may be below zero")
        self.by, self.weights, self.per = by, weights, per

    def prepare(self, labels: Labels) -> None:
        values, self._first, self._count = by_run(self.windows, labels, self.by)
        mass = self._weights(values) * self._count
        if self.per == "value":
            _, group = np.unique(values, return_inverse=True)
            mass = mass / np.bincount(group, self._count)[group]
        if not mass.sum() > 0:
            raise ValueError(f"all windows have weight 0 by {self.by!r}: give one of its values a weight above zero")
        self._ends = np.cumsum(mass) / mass.sum()

    def at(self, place: Int[ndarray, "item"]) -> Int[ndarray, "item"]:
        run = np.searchsorted(self._ends, uniform(place, self.seed, 0), side="right")
        # the last end may be a rounding below one
        run = np.minimum(run, len(self._ends) - 1)
        within = mix(place, self.seed, 1) % self._count[run].astype(np.uint64)
        return self._first[run] + within.astype(np.int64)

    def _weights(self, values: ndarray) -> Float[ndarray, "run"]:
        if self.weights is None:
            weights = pd.to_numeric(pd.Series(values)).to_numpy(dtype=float)
            if not (np.isfinite(weights) & (weights >= 0)).all():
                raise ValueError(
                    f"column {self.by!r} holds weights that are missing or below zero: mend it, or give weights"
                )
            return weights
        known = {str(value) for value in np.unique(values)}
        unknown = sorted(set(self.weights) - known)
        if unknown:
            raise ValueError(f"{self.by!r} has no value {unknown[0]!r}; it has {sorted(known)[:20]}: mend weights")
        return np.array([self.weights.get(str(value), 1.0) for value in values])
