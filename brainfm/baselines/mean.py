"""Mean: the average of the training part, whatever the signal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from brainfm.baselines.base import Baseline, InnerFolds


class Mean(Baseline):
    """The floor of every regression: R2 is zero at best, and r does not exist."""

    name = "mean"
    linear = False
    handles = "values"
    chosen = "nothing to choose"

    def fit(
        self, X: Float[ndarray, "batch channel time"], y: ndarray, folds: InnerFolds, facts: Mapping[str, Any]
    ) -> Mean:
        self._mean = y.mean(0, dtype=np.float64)
        return self

    def predict(self, X: Float[ndarray, "batch channel time"]) -> Float[ndarray, "batch output"]:
        return np.tile(self._mean, (len(X), 1))
