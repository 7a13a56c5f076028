"""How well rates predict spikes: Poisson likelihood in bits per spike, and causal baselines from the spikes before."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

_ALPHAS = (1e-3, 1e-2, 3e-2, 1e-1, 3e-1)
_TRIED_UNITS, _TRIED_ROWS = 10, 20_000
_SHARES = tuple(np.linspace(0.0, 1.0, 11))


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


@dataclass(frozen=True)
class Timeline:
    """Counts of a window's past and of the window, and how far into it one may look.

    With `ahead` a rate may know of the past alone, for all bins of the window; without it of all bins before its own.
    """

    past: Float[ndarray, "window unit lag"]
    counts: Float[ndarray, "window unit bin"]
    ahead: bool = False

    def part(self, windows: ndarray | slice, n_units: int | None = None) -> Timeline:
        """Some of the windows, with the first of the units."""
        return Timeline(self.past[windows, :n_units], self.counts[windows, :n_units], self.ahead)

    @property
    def observed(self) -> Float[ndarray, "window unit step"]:
        """The counts that are predicted from one look back: of each bin, or of the window."""
        return self.counts.sum(2, keepdims=True) if self.ahead else self.counts

    def recent(self, near: int, far: int) -> Float[ndarray, "window unit step"]:
        """What was counted between `near` and `far` bins before what is predicted."""
        whole = np.concatenate([self.past[:, :, :1] * 0, self.past, self.counts], 2).cumsum(2, dtype=np.float32)
        now = self.past.shape[2] + np.arange(self.observed.shape[2])
        return whole[:, :, now - near] - whole[:, :, now - far]

    def per_bin(self, expected: Float[ndarray, "window unit step"]) -> Float[ndarray, "window unit bin"]:
        """What is expected in each bin."""
        share = self.counts.shape[2] // expected.shape[2]
        return np.repeat(expected / share, share, axis=2)


class MeanRate:
    """Every unit at its mean rate in training: what bits per spike are counted from."""

    name, chosen = "mean rate", ""

    def fit(self, seen: Timeline) -> MeanRate:
        # half a spike more, so that a unit silent in training is not impossible
        n_windows, _, n_bins = seen.counts.shape
        self.rate = (seen.counts.sum((0, 2)) + 0.5) / (n_windows * n_bins)
        return self

    def predict(self, seen: Timeline) -> Float[ndarray, "window unit bin"]:
        return np.broadcast_to(self.rate[None, :, None], seen.counts.shape)


class SmoothedRate:
    """Between the mean rate and the unit's own rate just before: how much before, and how far, was best in training."""

    name = "smoothed rate"

    def fit(self, seen: Timeline) -> SmoothedRate:
        self._mean, observed = MeanRate().fit(seen), seen.observed
        best = np.full(observed.shape[1], -np.inf)
        self._width, self._share = np.ones(len(best), dtype=int), np.zeros(len(best))
        for width in _widths(seen):
            for share in _SHARES:
                rate = np.maximum(self._mixed(seen, width, share), 1e-9)
                score = (observed * np.log(rate) - rate).sum((0, 2))
                self._width[score > best], self._share[score > best] = width, share
                best = np.maximum(best, score)
        bins, units = np.unique(self._width, return_counts=True)
        told = ", ".join(f"{n} units over {b}" for b, n in zip(bins, units, strict=True))
        self.chosen = f"bins before that are smoothed over: {told}; on the training part"
        return self

    def predict(self, seen: Timeline) -> Float[ndarray, "window unit bin"]:
        expected = np.zeros(seen.observed.shape)
        for width in np.unique(self._width):
            own = self._width == width
            expected[:, own] = self._mixed(seen, int(width), self._share[:, None])[:, own]
        return seen.per_bin(expected)

    def _mixed(self, seen: Timeline, width: int, share: float | ndarray) -> Float[ndarray, "window unit step"]:
        n = seen.counts.shape[2] // seen.observed.shape[2]
        return n * ((1 - share) * self._mean.rate[:, None] + share * seen.recent(0, width) / width)


class GLM:
    """A Poisson regression of each unit's count on the counts of all units before, in spans that widen with distance.

    Spans are 1, 2, 4 ... bins. The penalty is chosen on the last fifth of the training windows, on at most 10 units, for
    all together. At most `max_rows` bins are fitted, evenly spaced, which is printed. `shown` units are looked at and `told`
    units predicted, by default all.
    Reference: Truccolo et al. 2005, https://doi.org/10.1152/jn.00697.2004
    """

    name = "GLM"

    def __init__(self, max_rows: int = 40_000, shown: ndarray | None = None, told: ndarray | None = None) -> None:
        self._max_rows, self.chosen = max_rows, ""
        self._shown, self._told = (slice(None) if units is None else units for units in (shown, told))

    def fit(self, seen: Timeline) -> GLM:
        rows, counts = _features(seen, self._shown), _flat(seen.observed[:, self._told])
        self._centre, self._scale = rows.mean(0), np.where(rows.std(0) > 0, rows.std(0), 1.0)
        rows = (rows - self._centre) / self._scale
        scores = {alpha: _score_of(alpha, rows, counts) for alpha in _ALPHAS}
        alpha = max(scores, key=lambda a: scores[a])
        self.chosen = (
            f"alpha={alpha:g} (of {', '.join(f'{a:g}' for a in _ALPHAS)}) on the last fifth of the training part"
        )
        if len(rows) > self._max_rows:
            print(f"GLM: fitted on {self._max_rows:,} of {len(rows):,} bins of the training part, evenly spaced")
        kept = _spaced(len(rows), self._max_rows)
        self._weights = _fitted(rows[kept], counts[kept], alpha)
        return self

    def predict(self, seen: Timeline) -> Float[ndarray, "window unit bin"]:
        rate = _rate(self._weights, (_features(seen, self._shown) - self._centre) / self._scale)
        n_windows, _, n_steps = seen.observed.shape
        return seen.per_bin(rate.reshape(n_windows, n_steps, -1).transpose(0, 2, 1))


def _widths(seen: Timeline) -> list[int]:
    """Spans to smooth over: 2, 4, 8 ... bins, and the whole past."""
    longest = seen.past.shape[2]
    return [*(2**k for k in range(1, 16) if 2**k < longest), longest]


def _features(seen: Timeline, units: ndarray | slice) -> Float[ndarray, "row feature"]:
    """Counts of units in spans of 1, 2, 4 ... bins; the last is cut where the past ends."""
    edges = [edge for k in range(16) if (edge := 2**k - 1) < seen.past.shape[2]] + [seen.past.shape[2]]
    return np.concatenate([_flat(seen.recent(a, b)[:, units]) for a, b in pairwise(edges)], axis=1)


def _flat(values: Float[ndarray, "window unit step"]) -> Float[ndarray, "row unit"]:
    return values.transpose(0, 2, 1).reshape(-1, values.shape[1])


def _spaced(n: int, most: int) -> ndarray:
    return np.arange(n) if n <= most else np.linspace(0, n - 1, most).round().astype(int)


def _score_of(alpha: float, rows: Float[ndarray, "row feature"], counts: Float[ndarray, "row unit"]) -> float:
    """The likelihood of the last fifth under weights that the rest gave, on some of the units."""
    cut, units = round(0.8 * len(rows)), _spaced(counts.shape[1], _TRIED_UNITS)
    early, late = _spaced(cut, _TRIED_ROWS), slice(cut, None)
    weights = _fitted(rows[early], counts[early][:, units], alpha)
    rate = np.maximum(_rate(weights, rows[late]), 1e-9)
    return float((counts[late][:, units] * np.log(rate) - rate).sum())


@dataclass(frozen=True)
class _Weights:
    slope: Float[ndarray, "feature unit"]
    offset: Float[ndarray, "unit"]


def _fitted(rows: Float[ndarray, "row feature"], counts: Float[ndarray, "row unit"], alpha: float) -> _Weights:
    """All units by scikit-learn's regression, one after another; a silent unit keeps a rate next to nothing."""
    from sklearn.linear_model import PoissonRegressor

    slopes, offsets = np.zeros((rows.shape[1], counts.shape[1])), np.full(counts.shape[1], -12.0)
    for unit in np.flatnonzero(counts.sum(0)):
        fitted: Any = PoissonRegressor(alpha=alpha, solver="newton-cholesky", max_iter=50, tol=1e-4)
        fitted.fit(rows, counts[:, unit])
        slopes[:, unit], offsets[unit] = fitted.coef_, fitted.intercept_
    return _Weights(slopes, offsets)


def _rate(weights: _Weights, rows: Float[ndarray, "row feature"]) -> Float[ndarray, "row unit"]:
    return np.exp(np.minimum(rows @ weights.slope + weights.offset, 8.0))
