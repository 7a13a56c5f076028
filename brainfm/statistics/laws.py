"""Two laws of how a score grows with size, log-linear and a power law that saturates; many draws of scores are fitted at once."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from jaxtyping import Float
from numpy import ndarray

_EXPONENTS = np.geomspace(0.02, 5.0, 81)  # below, a power law cannot be told from a logarithm; above, from a step
_ZOOMS, _FINE = 3, 17


class Law(ABC):
    """A curve score(x). `parameters` are in the order of the columns of a fit; higher scores are better."""

    name: str
    parameters: tuple[str, ...]

    @abstractmethod
    def fit(
        self, x: Float[ndarray, "size"], score: Float[ndarray, "draw size"], weight: Float[ndarray, "draw size"]
    ) -> Float[ndarray, "draw parameter"]:
        """The parameters of least weighted squares for each draw; sizes of weight 0 (their score may be NaN) do not count."""

    @abstractmethod
    def predict(self, parameters: Float[ndarray, "draw parameter"], x: Float[ndarray, "size"]) -> ndarray:
        """The curve of each draw `[draw, size]`."""


class LogLinear(Law):
    """score(x) = intercept + slope * log10(x): every tenfold adds as much as the last, without end.

    Reference: Antonello, Vaidya and Huth 2023, https://arxiv.org/abs/2305.11863

    >>> LogLinear().fit(np.array([1.0, 10.0, 100.0]), np.array([[0.1, 0.2, 0.3]]), np.ones((1, 3))).round(3)
    array([[0.1, 0.1]])
    """

    name = "log-linear"
    parameters = ("intercept", "slope")

    def fit(self, x: ndarray, score: ndarray, weight: ndarray) -> ndarray:
        centre = np.log10(x).mean()
        slope, level = _line(np.log10(x) - centre, *_clean(score, weight))
        return np.stack([level - slope * centre, slope], axis=-1)

    def predict(self, parameters: ndarray, x: ndarray) -> ndarray:
        return parameters[:, :1] + parameters[:, 1:] * np.log10(x)


class SaturatingPower(Law):
    """score(x) = ceiling - a * x ** -exponent, with a >= 0 and ceiling <= `upper` (the most that the score can be).

    For a given exponent the rest is linear, so only the exponent is searched for: over its whole range, then three times
    closer. That finds the best of all minima, which a descent from one start does not, and does so for all draws at once.
    Reference: Golub and Pereyra 1973, https://doi.org/10.1137/0710036
    """

    name = "saturating power law"
    parameters = ("ceiling", "a", "exponent")

    def __init__(self, upper: float = 1.0) -> None:
        self.upper = upper

    def fit(self, x: ndarray, score: ndarray, weight: ndarray) -> ndarray:
        score, weight = _clean(score, weight)
        unit = np.exp(np.log(x).mean())  # sizes around 1: x ** -b neither vanishes nor explodes
        tried = np.broadcast_to(_EXPONENTS, (len(score), len(_EXPONENTS)))
        for _ in range(_ZOOMS):
            best = self._profile(x / unit, score, weight, tried)[2].argmin(axis=1)
            tried = _between(tried, best)
        ceiling, a, lost = self._profile(x / unit, score, weight, tried)
        rows, best = np.arange(len(score)), lost.argmin(axis=1)
        exponent = tried[rows, best]
        return np.stack([ceiling[rows, best], a[rows, best] * unit**exponent, exponent], axis=-1)

    def predict(self, parameters: ndarray, x: ndarray) -> ndarray:
        ceiling, a, exponent = parameters.T[:, :, None]
        return ceiling - a * x**-exponent

    def _profile(
        self, x: ndarray, score: ndarray, weight: ndarray, exponent: Float[ndarray, "draw try"]
    ) -> tuple[ndarray, ndarray, ndarray]:
        """Ceiling, a and the sum of squares for every exponent: the best of the three places where a bounded optimum can lie."""
        power = x ** -exponent[:, :, None]
        score, weight = score[:, None], weight[:, None]
        total = weight.sum(-1)
        slope, level = _line(power, score, weight)
        mean = np.minimum((weight * score).sum(-1) / total, self.upper) + np.zeros_like(slope)
        capped = np.maximum((weight * power * (self.upper - score)).sum(-1) / (weight * power**2).sum(-1), 0)
        ceiling = np.stack([level, np.full_like(level, self.upper), mean])
        a = np.stack([-slope, capped, np.zeros_like(slope)])
        lost = (weight * (score - ceiling[..., None] + a[..., None] * power) ** 2).sum(-1)
        lost[0] = np.where((a[0] < 0) | (level > self.upper), np.inf, lost[0])
        best = lost.argmin(0)[None]
        return tuple(np.take_along_axis(part, best, 0)[0] for part in (ceiling, a, lost))  # type: ignore[return-value]


def _clean(score: ndarray, weight: ndarray) -> tuple[ndarray, ndarray]:
    """Where there is no score, weight 0 and a number that does no harm."""
    known = ~np.isnan(score)
    return np.where(known, score, 0.0), np.where(known, weight, 0.0)


def _line(x: ndarray, score: ndarray, weight: ndarray) -> tuple[ndarray, ndarray]:
    """Slope and the value at x = 0 of weighted least squares, along the last axis."""
    total = weight.sum(-1)
    x_mean, y_mean = (weight * x).sum(-1) / total, (weight * score).sum(-1) / total
    spread = x - x_mean[..., None]
    slope = (weight * spread * (score - y_mean[..., None])).sum(-1) / np.maximum((weight * spread**2).sum(-1), 1e-300)
    return slope, y_mean - slope * x_mean


def _between(tried: Float[ndarray, "draw try"], best: ndarray) -> Float[ndarray, "draw fine"]:
    """Exponents between the neighbours of the best one."""
    rows, last = np.arange(len(tried)), tried.shape[1] - 1
    low, high = tried[rows, np.maximum(best - 1, 0)], tried[rows, np.minimum(best + 1, last)]
    return np.geomspace(low, high, _FINE, axis=1)
