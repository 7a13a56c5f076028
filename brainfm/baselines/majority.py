"""Majority: the share of each class in training, whatever the signal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from brainfm.baselines.base import Baseline, InnerFolds


class Majority(Baseline):
    """The floor of every classification: always the commonest class."""

    name = "majority"
    linear = False
    chosen = "nothing to choose"

    def fit(
        self, X: Float[ndarray, "batch channel time"], y: ndarray, folds: InnerFolds, facts: Mapping[str, Any]
    ) -> Majority:
        self._share = np.bincount(y, minlength=int(facts["n_outputs"])) / len(y)
        return self

    def predict(self, X: Float[ndarray, "batch channel time"]) -> Float[ndarray, "batch output"]:
        return np.tile(self._share, (len(X), 1))
