"""Poisson regression of many counts on the same features: the generalised linear model of single units."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

ALPHA = 1e-3  # scikit-learn's, for features of unit variance and the mean deviance


@dataclass(frozen=True)
class PoissonFit:
    """Counts are expected to be `exp(x @ weights + intercept)`."""

    weights: Float[ndarray, "feature target"]
    intercept: Float[ndarray, "target"]

    def predict(self, x: Float[ndarray, "row feature"]) -> Float[ndarray, "row target"]:
        """Expected counts."""
        # an outlying feature must not overflow: exp(20) is more than any unit fires
        return np.exp(np.minimum(x @ self.weights + self.intercept, 20.0)).astype(np.float32)


def fit_poisson(x: Float[ndarray, "row feature"], y: Float[ndarray, "row target"], alpha: float = ALPHA) -> PoissonFit:
    """One scikit-learn PoissonRegressor per column of counts; a unit that never fires is expected not to.

    Raises ValueError for negative counts.
    """
    from sklearn.linear_model import PoissonRegressor

    if (y < 0).any():
        raise ValueError(
            "Poisson regression is for counts, and some are negative: leave glm out, or take spikes as the signal"
        )
    mean, deviation = x.mean(0, dtype=np.float64), x.std(0, dtype=np.float64)
    gain = np.divide(1, deviation, out=np.zeros_like(deviation), where=deviation > 0)
    rows = (x - mean) * gain
    weights, intercept = np.zeros((x.shape[1], y.shape[1])), np.full(y.shape[1], -20.0)
    for target in np.flatnonzero(y.any(0)):
        model = PoissonRegressor(alpha=alpha, solver="newton-cholesky").fit(rows, y[:, target])
        weights[:, target], intercept[target] = model.coef_, model.intercept_
    weights *= gain[:, None]
    return PoissonFit(weights, intercept - mean @ weights)
