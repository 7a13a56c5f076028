"""Ridge regression from every channel and lag, its penalty chosen on stretches of time that are held out with a gap."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from brainfm.baselines.base import Baseline, InnerFolds, pooled
from brainfm.linear.ridge import RidgeOptions, fit_ridge

ALPHAS = tuple(10.0 ** (power / 2) for power in range(-2, 11))  # for features of unit variance, per thousand windows
_MAX_FEATURES = 4000  # their Gram matrix takes 128 MB


class Ridge(Baseline):
    """Linear regression of each window's samples, side by side and standardised, with one penalty for all outputs.

    Windows of more than 4000 samples over all channels are averaged in time down to that many.
    The penalty with the smallest squared error on the inner folds wins, outputs weighed by their variance.
    """

    name = "ridge"
    handles = "values"

    def fit(
        self, X: Float[ndarray, "batch channel time"], y: ndarray, folds: InnerFolds, facts: Mapping[str, Any]
    ) -> Ridge:
        self._factor = -(-X.shape[1] * X.shape[2] // _MAX_FEATURES)
        rows = pooled(X, self._factor)
        self._centre, self._gain = rows.mean(0, dtype=np.float64), _gain(rows)
        rows = _standard(rows, self._centre, self._gain)
        # outputs weigh the same, whatever their unit
        spread = y.std(0, dtype=np.float64)
        scale = np.where(spread > 0, spread, 1.0)
        pairs = [(_mask(known, len(y)), _mask(held_out, len(y))) for known, held_out in folds.pairs]
        options = RidgeOptions(scoring="neg_mse", shared=True)
        found = fit_ridge(rows, y / scale, np.array(ALPHAS) * len(y) / 1000, pairs, options)
        self._weights, self._mean = found.weights * scale, found.intercept * scale
        self.chosen = _told(found.alpha / len(y) * 1000, folds)
        return self

    def predict(self, X: Float[ndarray, "batch channel time"]) -> Float[ndarray, "batch output"]:
        rows = _standard(pooled(X, self._factor), self._centre, self._gain)
        return rows @ self._weights + self._mean


def _mask(index: ndarray, n: int) -> Bool[ndarray, "row"]:
    mask = np.zeros(n, bool)
    mask[index] = True
    return mask


def _told(alpha: Float[ndarray, "output"], folds: InnerFolds) -> str:
    """How the penalty was chosen; outputs that never change have none."""
    best = np.append(alpha[np.isfinite(alpha)], np.nan)[0]
    listed = f"{ALPHAS[0]:g} to {ALPHAS[-1]:g}, per thousand windows"
    return f"alpha={best:.3g} (of {listed}) by {folds.how} of the training part"


def _gain(rows: ndarray) -> ndarray:
    """One over the standard deviation; zero for a column that never changes."""
    deviation = rows.std(0, dtype=np.float64)
    return np.divide(1, deviation, out=np.zeros_like(deviation), where=deviation > 1e-12 * np.abs(rows).max(0))


def _standard(rows: ndarray, centre: ndarray, gain: ndarray) -> Float[ndarray, "batch feature"]:
    return ((rows - centre) * gain).astype(np.float32)
