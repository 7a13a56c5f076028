"""Ridge regression from every channel and lag, its penalty chosen on stretches of time that are held out with a gap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from brainfm.baselines.base import Baseline, InnerFolds, pooled

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
        self._mean = y.mean(0, dtype=np.float64)
        target = (y - self._mean).astype(rows.dtype)
        alpha = self._best(rows, target, folds)
        (self._weights,) = _weights(rows, target, [alpha])
        return self

    def predict(self, X: Float[ndarray, "batch channel time"]) -> Float[ndarray, "batch output"]:
        rows = _standard(pooled(X, self._factor), self._centre, self._gain)
        return rows @ self._weights + self._mean

    def _best(self, rows: ndarray, target: ndarray, folds: InnerFolds) -> float:
        error = np.zeros(len(ALPHAS))
        scale = np.where((spread := target.var(0)) > 0, spread, 1)
        for known, held_out in folds.pairs:
            for i, weights in enumerate(_weights(rows[known], target[known], ALPHAS)):
                left = (target[held_out] - rows[held_out] @ weights).astype(np.float64)
                error[i] += (left**2 / scale).sum()
        best = ALPHAS[int(error.argmin())]
        listed = f"{ALPHAS[0]:g} to {ALPHAS[-1]:g}, per thousand windows"
        self.chosen = f"alpha={best:.3g} (of {listed}) by {folds.how} of the training part"
        return best


def _gain(rows: ndarray) -> ndarray:
    """One over the standard deviation; zero for a column that never changes."""
    deviation = rows.std(0, dtype=np.float64)
    return np.divide(1, deviation, out=np.zeros_like(deviation), where=deviation > 1e-12 * np.abs(rows).max(0))


def _standard(rows: ndarray, centre: ndarray, gain: ndarray) -> Float[ndarray, "batch feature"]:
    return ((rows - centre) * gain).astype(np.float32)


def _weights(rows: ndarray, target: ndarray, alphas: Sequence[float]) -> list[Float[ndarray, "feature output"]]:
    """The weights for each penalty; from products between windows where these are fewer than the features."""
    penalties = [alpha * len(rows) / 1000 for alpha in alphas]
    if len(rows) < rows.shape[1]:
        gram = rows @ rows.T
        return [rows.T @ _solve(gram, target, penalty) for penalty in penalties]
    gram, cross = rows.T @ rows, rows.T @ target
    return [_solve(gram, cross, penalty) for penalty in penalties]


def _solve(gram: ndarray, cross: ndarray, penalty: float) -> ndarray:
    from scipy.linalg import solve

    # float64: an almost singular Gram matrix of neighbouring lags loses its definiteness in float32
    shifted = gram.astype(np.float64)
    shifted[np.diag_indices_from(shifted)] += penalty
    return solve(shifted, cross.astype(np.float64), assume_a="pos", overwrite_a=True)
