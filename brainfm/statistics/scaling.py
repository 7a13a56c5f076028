"""Scaling fits: how a score grows with parameters or hours, with bootstrap intervals, a comparison of laws, and extrapolation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float
from numpy import ndarray
from scipy import stats

from brainfm.statistics.bootstrap import draw_weights
from brainfm.statistics.laws import Law, LogLinear, SaturatingPower


@dataclass(frozen=True)
class Means:
    """The mean score at each size `x`: as it is (`score`, `weight`: how many rows), and on resampled clusters `[draw, size]`.

    `freedom` is the number of clusters less one, of the factor with the fewest; 0 where nothing could be resampled.
    """

    x: Float[ndarray, "size"]
    score: Float[ndarray, "size"]
    weight: Float[ndarray, "size"]
    resampled: Float[ndarray, "draw size"]
    freedom: int

    def only(self, kept: ndarray) -> Means:
        """Some of the sizes."""
        return Means(self.x[kept], self.score[kept], self.weight[kept], self.resampled[:, kept], self.freedom)


@dataclass(frozen=True)
class Fit:
    """A law on the means of all sizes, and its parameters on each draw.

    `spread` is the standard deviation of the means about the curve (at least `left_out` where the law has all but one
    parameter for each size: a curve may then go through all by chance); `left_out` and `largest` are root mean square errors
    in predicting each size from the others, and the largest from the smaller ones.
    """

    law: Law
    value: Float[ndarray, "parameter"]
    draws: Float[ndarray, "draw parameter"]
    means: Means
    spread: float
    left_out: float
    largest: float

    def interval(self, level: float = 0.95) -> dict[str, tuple[float, float]]:
        """Low and high of each parameter; NaN where nothing could be resampled."""
        tail = _tail(self.means.freedom, level)
        low, high = np.quantile(self.draws, [tail, 1 - tail], axis=0) if tail is not None else np.full((2, 3), np.nan)
        return {name: (float(low[i]), float(high[i])) for i, name in enumerate(self.law.parameters)}

    def curve(self, x: Float[ndarray, "size"]) -> Float[ndarray, "size"]:
        """The fitted curve."""
        return self.law.predict(self.value[None], x)[0]


@dataclass(frozen=True)
class Scaling:
    """The laws that could be fitted, by name; `preferred` predicts sizes that were left out best."""

    fits: dict[str, Fit]
    seed: int = 0

    @property
    def preferred(self) -> Fit:
        return min(self.fits.values(), key=lambda fit: fit.left_out)

    def predict(self, x: Sequence[float] | ndarray, level: float = 0.8) -> pd.DataFrame:
        """What a mean score at each size of `x` will be: columns x, value, low, high.

        The interval holds what clusters, the choice of law (each drawn as often as it predicts sizes left out well) and the
        scatter about the curve leave open. NaN where there are too few sizes to know the scatter.
        """
        at, rng = np.asarray(x, dtype=float), np.random.default_rng(self.seed)
        drawn = np.concatenate([self._drawn(fit, share, at, rng) for fit, share in self._shares()])
        low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=0)
        return pd.DataFrame({"x": at, "value": self.preferred.curve(at), "low": low, "high": high})

    def _shares(self) -> list[tuple[Fit, float]]:
        likely = np.array([1 / max(fit.left_out, 1e-9) ** 2 for fit in self.fits.values()])
        return list(zip(self.fits.values(), likely / likely.sum(), strict=True))

    def _drawn(self, fit: Fit, share: float, at: ndarray, rng: np.random.Generator) -> ndarray:
        """Draws of this law, as many as its share; the scatter as Student's t, for it is estimated from few sizes."""
        n = round(share * 2 * len(fit.draws))
        curves = fit.law.predict(fit.draws[rng.integers(len(fit.draws), size=n)], at)
        freedom = max(len(fit.means.x) - len(fit.law.parameters), 1)
        return curves + fit.spread * stats.t.rvs(freedom, size=(n, 1), random_state=rng)

    def table(self) -> pd.DataFrame:
        """One row per law and parameter: law, parameter, value, low, high, left_out, largest, preferred."""
        rows: list[dict[str, Any]] = []
        for fit in self.fits.values():
            told = {"left_out": fit.left_out, "largest": fit.largest, "preferred": fit is self.preferred}
            for i, (name, (low, high)) in enumerate(fit.interval().items()):
                rows.append(
                    {"law": fit.law.name, "parameter": name, "value": fit.value[i], "low": low, "high": high} | told
                )
        return pd.DataFrame(rows)


def fit_scaling(
    table: pd.DataFrame, clusters: Sequence[str] = (), upper: float = 1.0, n: int = 1000, seed: int = 0
) -> Scaling:
    """Fits both laws to the columns `x` and `score` of a table with one row per score.

    Every size counts as its number of rows. `clusters` name columns (stories, subjects) whose values are drawn with
    replacement, each factor for itself (a row counts as often as the product of its factors); `upper` bounds the ceiling. The
    power law is left out below four sizes, which is printed. Raises ValueError below three sizes, or where a size is not
    above 0. Reference for several factors: Owen 2007, The pigeonhole bootstrap, https://doi.org/10.1214/07-AOAS122
    """
    table = table.dropna(subset=["x", "score"])
    if len(table) and table["x"].min() <= 0:
        raise ValueError(f"a size is {table['x'].min():g}, expected all above 0: a law of scaling has no value there")
    means = averaged(table, clusters, n, seed)
    if len(means.x) < 3:
        sizes = ", ".join(f"{size:g}" for size in means.x)
        raise ValueError(f"scores at {len(means.x)} sizes ({sizes}), expected 3 or more: add values to the axis")
    laws: list[Law] = [LogLinear()]
    if len(means.x) > 3:
        laws.append(SaturatingPower(upper))
    else:
        print("scaling: 3 sizes do not settle a power law, which has 3 parameters: only the log-linear law is fitted")
    return Scaling({law.name: _fitted(law, means) for law in laws}, seed)


def prospective(
    table: pd.DataFrame,
    clusters: Sequence[str] = (),
    upper: float = 1.0,
    share: float = 0.5,
    level: float = 0.8,
    **draws: int,
) -> pd.DataFrame:
    """Fits sizes up to `share` of the largest, and says of every larger one whether its mean score was foreseen.

    Columns x, value, low, high (what was predicted), score (what came) and inside. Raises ValueError below three sizes
    to fit.
    """
    small = smaller(table["x"].to_numpy(dtype=float), share)
    found = fit_scaling(table[small], clusters, upper, **draws)
    came = table[~small].dropna(subset=["score"]).groupby("x")["score"].mean()
    told = found.predict(came.index.to_numpy(), level).assign(score=came.to_numpy())
    return told.assign(inside=told["score"].between(told["low"], told["high"]))


def smaller(x: Float[ndarray, "row"], share: float = 0.5) -> Bool[ndarray, "row"]:
    """Which sizes are at most a share of the largest; a hundredth is forgiven.

    >>> smaller(np.array([1.0, 3.46, 6.9]))
    array([ True,  True, False])
    """
    # hours are counted by what windows cover, so half of the windows cover a second more than half of the time
    return x <= 1.01 * share * np.nanmax(x, initial=0.0)


def averaged(table: pd.DataFrame, clusters: Sequence[str], n: int, seed: int) -> Means:
    """The mean at each size, of all rows and of `n` draws of the clusters."""
    x, size = np.unique(table["x"].to_numpy(dtype=float), return_inverse=True)
    score, member = table["score"].to_numpy(dtype=float), np.eye(len(x))[size]
    weight, freedom = _row_weights(table, clusters, n, np.random.default_rng(seed))
    filled = weight @ member
    with np.errstate(invalid="ignore"):  # a draw may leave a size empty
        resampled = (weight * score) @ member / filled
    return Means(x, score @ member / member.sum(0), member.sum(0), resampled, freedom)


def _row_weights(
    table: pd.DataFrame, clusters: Sequence[str], n: int, rng: np.random.Generator
) -> tuple[Float[ndarray, "draw row"], int]:
    """How often each row counts in each draw: the product over factors; factors of one value are not drawn."""
    weight, counts = np.ones((n, len(table))), []
    for name in clusters:
        code = table.groupby(name, dropna=False).ngroup().to_numpy()
        if code.max(initial=0) > 0:
            counts.append(int(code.max()) + 1)
            weight *= draw_weights(np.zeros(counts[-1], dtype=np.int64), n, rng)[:, code]
    return weight, min(counts, default=1) - 1


def _fitted(law: Law, means: Means) -> Fit:
    value = _on_all(law, means)
    curve = law.predict(value[None], means.x)[0]
    freedom = max(len(means.x) - len(law.parameters), 1)
    errors = [_error(law, means, i) for i in range(len(means.x))]
    left_out = float(np.sqrt(np.mean(np.square(errors))))
    spread = float(np.sqrt(((curve - means.score) ** 2).sum() / freedom))
    spread = max(spread, left_out) if freedom < 2 else spread
    drawn = means.resampled if means.freedom else _scattered(curve, spread, freedom, len(means.resampled))
    draws = law.fit(means.x, drawn, np.tile(means.weight, (len(drawn), 1)))
    return Fit(law, value, draws, means, spread, left_out, abs(errors[-1]))


def _scattered(curve: Float[ndarray, "size"], spread: float, freedom: int, n: int) -> Float[ndarray, "draw size"]:
    """Scores about the curve: where there are no clusters to draw, the scatter is all that says how sure the curve is."""
    rng = np.random.default_rng(0)
    # each draw has a scatter of its own, for the one that was seen is an estimate
    scale = spread * np.sqrt(freedom / rng.chisquare(freedom, (n, 1)))
    return curve + scale * rng.standard_normal((n, len(curve)))


def _on_all(law: Law, means: Means) -> ndarray:
    return law.fit(means.x, means.score[None], means.weight[None])[0]


def _error(law: Law, means: Means, out: int) -> float:
    """How far the curve through the other sizes is from the mean at this one."""
    kept = np.arange(len(means.x)) != out
    value = _on_all(law, means.only(kept))
    return float(law.predict(value[None], means.x[[out]])[0, 0] - means.score[out])


def _tail(freedom: int, level: float) -> float | None:
    """The percentile at which an interval ends, moved outwards as `brainfm.statistics.bootstrap.expanded_interval` does."""
    if freedom < 1:
        return None
    widening = np.sqrt((freedom + 1) / freedom)
    return float(stats.norm.cdf(widening * stats.t.ppf((1 - level) / 2, freedom)))
