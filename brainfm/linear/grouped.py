"""One ridge regression per group of rows (a subject, or all as one), each standardised and chosen by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from brainfm.linear.chunks import contiguous
from brainfm.linear.ridge import RidgeFit, RidgeOptions, fit_ridge
from data_loaders.contracts import Rows

# lambda of scikit-learn, for features of unit variance
ALPHAS = tuple(float(10 ** (power / 2)) for power in range(0, 15))


@dataclass(frozen=True)
class Inner:
    """How a penalty is chosen inside a training part: contiguous chunks of each run are held out, with a gap in rows."""

    alphas: Sequence[float] = ALPHAS
    n_folds: int = 5
    gap: int = 5
    chunk: int | None = None
    options: RidgeOptions = field(default_factory=RidgeOptions)


def fit_standardised(x: Rows, y: Rows, run: Int[ndarray, "row"], inner: Inner) -> RidgeFit:
    """Ridge on features of unit variance, whose weights are given for the features as they come.

    Rows are in order of time within their run. A feature that never changes has no weight.
    Raises ValueError where there are fewer rows than folds need.
    """
    mean, gain = moments(x)
    scaled = (np.asarray(x[:], dtype=np.float32) - mean) * gain
    pairs = contiguous(run, inner.n_folds, inner.gap, inner.chunk) if len(inner.alphas) > 1 else []
    found = fit_ridge(scaled, y, inner.alphas, pairs, inner.options)
    weights = found.weights * gain[:, None]
    return RidgeFit(weights, found.intercept - mean @ weights, found.alpha, found.scores)


def each_group(group: Int[ndarray, "row"]) -> list[tuple[int, Int[ndarray, "member"]]]:
    """The groups and their rows."""
    return [(int(one), np.flatnonzero(group == one)) for one in np.unique(group)]


def predict_grouped(
    fits: dict[int, RidgeFit], x: Float[ndarray, "row feature"], group: Int[ndarray, "row"]
) -> Float[ndarray, "row target"]:
    """Each row by its group's regression."""
    n_targets = next(iter(fits.values())).weights.shape[1]
    out = np.empty((len(x), n_targets), np.float32)
    for one, rows in each_group(group):
        out[rows] = fits[one].predict(x[rows])
    return out


def moments(x: Rows) -> tuple[Float[ndarray, "feature"], Float[ndarray, "feature"]]:
    """Mean, and one over the standard deviation; zero for what never changes."""
    rows = np.asarray(x[:])
    mean, deviation = rows.mean(0, dtype=np.float64), rows.std(0, dtype=np.float64)
    gain = np.divide(
        1, deviation, out=np.zeros_like(deviation), where=deviation > 1e-7 * np.abs(rows).max(0, initial=0)
    )
    return mean.astype(np.float32), gain.astype(np.float32)
