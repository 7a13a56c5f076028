"""How well rates predict spikes: Poisson likelihood in bits per spike, and causal baselines from the spikes before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

_ALPHAS = (1e-3, 1e-2, 1e-1, 1.0)
_SHARES = tuple(np.linspace(0.0, 1.0, 21))


def log_likelihood(
    counts: Float[ndarray, "window unit bin"], rates: Float[ndarray, "window unit bin"]
) -> Float[ndarray, "window"]:
    """The Poisson log likelihood of each window, without the term that no rate changes (log of the factorial)."""
    safe = np.maximum(rates, 1e-9)
    return (counts * np.log(safe) - safe).sum((1, 2))


def bits_per_spike(
    model: Float[ndarray, "window"], null: Float[ndarray, "window"], n_spikes: Float[ndarray, "window"]
) -> float:
    """How many bits a spike costs less than under the mean rates (Pei et al. 2021, Neural Latents Benchmark, equation 2)."""
    return float((model.sum() - null.sum()) / (np.log(2) * max(n_spikes.sum(), 1)))


class MeanRate:
    """Every unit at its mean rate in training: what bits per spike are counted from."""

    name = "mean rate"

    def fit(self, past: ndarray, counts: Float[ndarray, "window unit bin"]) -> MeanRate:
        # half a spike more, so that a unit silent in training is not impossible
        self._rate = (counts.sum((0, 2)) + 0.5) / (counts.shape[0] * counts.shape[2])
        return self

    def predict(self, past: Float[ndarray, "window unit lag"], n_bins: int) -> Float[ndarray, "window unit bin"]:
        return np.broadcast_to(self._rate[None, :, None], (len(past), len(self._rate), n_bins))


class SmoothedRate:
    """Between the mean rate and the rate in the past window: how far, each unit's share says that was best in training."""

    name = "smoothed rate"

    def fit(self, past: Float[ndarray, "window unit lag"], counts: Float[ndarray, "window unit bin"]) -> SmoothedRate:
        self._mean = MeanRate().fit(past, counts)
        steady, recent, total = self._mean.predict(past, 1)[..., 0], past.mean(2), counts.sum(2)
        n_bins = counts.shape[2]
        scores = []
        for share in _SHARES:
            rate = np.maximum((1 - share) * steady + share * recent, 1e-9)
            scores.append((total * np.log(rate) - n_bins * rate).sum(0))
        self._share = np.array(_SHARES)[np.argmax(scores, axis=0)]
        return self

    def predict(self, past: Float[ndarray, "window unit lag"], n_bins: int) -> Float[ndarray, "window unit bin"]:
        steady = self._mean.predict(past, 1)[..., 0]
        rate = (1 - self._share) * steady + self._share * past.mean(2)
        return np.repeat(rate[..., None], n_bins, axis=2)


class GLM:
    """A Poisson regression of each unit's count on the counts of all units in the past, in a few bins of it.

    The penalty is chosen on the last fifth of the training windows, for all units together.
    Reference: Truccolo et al. 2005, https://doi.org/10.1152/jn.00697.2004
    """

    name = "GLM"

    def __init__(self, n_lags: int = 3, max_windows: int = 20_000) -> None:
        self._n_lags, self._max_windows, self.chosen = n_lags, max_windows, ""

    def fit(self, past: Float[ndarray, "window unit lag"], counts: Float[ndarray, "window unit bin"]) -> GLM:
        if len(past) > self._max_windows:
            print(f"GLM: fitted on the last {self._max_windows:,} of {len(past):,} training windows")
            past, counts = past[-self._max_windows :], counts[-self._max_windows :]
        rows, total = self._features(past), counts.sum(2)
        self._centre, self._scale = rows.mean(0), np.where(rows.std(0) > 0, rows.std(0), 1.0)
        rows, cut = (rows - self._centre) / self._scale, round(0.8 * len(rows))
        scores = {alpha: _score(_fitted(rows[:cut], total[:cut], alpha), rows[cut:], total[cut:]) for alpha in _ALPHAS}
        alpha = max(scores, key=lambda a: scores[a])
        self.chosen = (
            f"alpha={alpha:g} (of {', '.join(f'{a:g}' for a in _ALPHAS)}) on the last fifth of the training part"
        )
        self._weights = _fitted(rows, total, alpha)
        self._n_bins = counts.shape[2]
        return self

    def predict(self, past: Float[ndarray, "window unit lag"], n_bins: int) -> Float[ndarray, "window unit bin"]:
        rows = (self._features(past) - self._centre) / self._scale
        total = _rate(self._weights, rows)
        return np.repeat(total[..., None] / n_bins, n_bins, axis=2)

    def _features(self, past: Float[ndarray, "window unit lag"]) -> Float[ndarray, "window feature"]:
        parts = np.array_split(np.arange(past.shape[2]), min(self._n_lags, past.shape[2]))
        return np.concatenate([past[:, :, part].sum(2) for part in parts], axis=1)


@dataclass(frozen=True)
class _Weights:
    slope: Float[ndarray, "feature unit"]
    offset: Float[ndarray, "unit"]


def _fitted(rows: Float[ndarray, "window feature"], total: Float[ndarray, "window unit"], alpha: float) -> _Weights:
    """All units at once by scikit-learn's regression, one after another; a silent unit keeps a rate next to nothing."""
    from sklearn.linear_model import PoissonRegressor

    slopes, offsets = np.zeros((rows.shape[1], total.shape[1])), np.full(total.shape[1], -12.0)
    for unit in np.flatnonzero(total.sum(0)):
        fitted: Any = PoissonRegressor(alpha=alpha, solver="newton-cholesky", max_iter=50, tol=1e-4)
        fitted.fit(rows, total[:, unit])
        slopes[:, unit], offsets[unit] = fitted.coef_, fitted.intercept_
    return _Weights(slopes, offsets)


def _rate(weights: _Weights, rows: Float[ndarray, "window feature"]) -> Float[ndarray, "window unit"]:
    return np.exp(np.minimum(rows @ weights.slope + weights.offset, 8.0))


def _score(weights: _Weights, rows: ndarray, total: ndarray) -> float:
    rate = np.maximum(_rate(weights, rows), 1e-9)
    return float((total * np.log(rate) - rate).sum())
