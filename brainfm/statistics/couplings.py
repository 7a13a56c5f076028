"""Who drives whom: couplings from spike counts, and how well a guess at connections fits the known ones."""

from __future__ import annotations

import warnings

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray


def cross_correlation(counts: Float[ndarray, "trial time unit"], lags: int = 3) -> Float[ndarray, "pre post"]:
    """The correlation of each unit with each other `1..lags` bins later, summed; trials are not joined."""
    centred = counts - counts.mean((0, 1))
    scale = centred.std((0, 1)) + 1e-12
    total = np.zeros((counts.shape[2],) * 2)
    for lag in range(1, lags + 1):
        before, after = centred[:, :-lag], centred[:, lag:]
        total += np.einsum("rtp,rtq->pq", before, after, optimize=True) / (before.shape[0] * before.shape[1])
    return total / np.outer(scale, scale)


def glm_couplings(
    counts: Float[ndarray, "trial time unit"], lags: int = 3, alpha: float = 1e-3
) -> Float[ndarray, "pre post"]:
    """The coefficients of a Poisson regression of each unit on all units in the `lags` bins before, summed over lags."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import PoissonRegressor

    n = counts.shape[2]
    rows = np.concatenate(
        [counts[:, lags - lag : counts.shape[1] - lag].reshape(-1, n) for lag in range(1, lags + 1)], 1
    )
    after = counts[:, lags:].reshape(-1, n)
    couplings = np.zeros((n, n))
    for post in range(n):
        with warnings.catch_warnings():
            # a coupling within a part in a thousand is enough here
            warnings.simplefilter("ignore", ConvergenceWarning)
            fitted = PoissonRegressor(alpha=alpha, max_iter=60, tol=1e-3).fit(rows, after[:, post])
        couplings[:, post] = fitted.coef_.reshape(lags, n).sum(0)
    return couplings


def connection_auroc(guess: Float[ndarray, "pre post"], connected: Bool[ndarray, "pre post"]) -> float:
    """The chance that a connected pair has a higher guess than an unconnected one; nobody is paired with themselves.

    >>> connection_auroc(np.array([[0.0, 0.9], [0.2, 0.0]]), np.array([[False, True], [False, False]]))
    1.0
    """
    from sklearn.metrics import roc_auc_score

    pairs = ~np.eye(len(guess), dtype=bool)
    if len(np.unique(connected[pairs])) < 2:
        raise ValueError("all pairs are connected, or none is: there is nothing to tell apart")
    return float(roc_auc_score(connected[pairs], guess[pairs]))


def direction_accuracy(guess: Float[ndarray, "pre post"], connected: Bool[ndarray, "pre post"]) -> float:
    """Of the pairs connected one way, the share whose guess is higher that way; ties count half.

    >>> direction_accuracy(np.array([[0.0, 0.9], [0.2, 0.0]]), np.array([[False, True], [False, False]]))
    1.0
    """
    one_way = connected & ~connected.T
    if not one_way.any():
        raise ValueError("no pair is connected one way only: there is no direction to tell")
    lead = (guess - guess.T)[one_way]
    return float(((lead > 0) + 0.5 * (lead == 0)).mean())


def binned(
    times: Float[ndarray, "spike"],
    channels: Int[ndarray, "spike"],
    n_units: int,
    segments: Float[ndarray, "trial 2"],
    bin: float,
) -> Float[ndarray, "trial time unit"]:
    """Counts in bins of `bin` seconds; all trials as long as the shortest."""
    n_bins = int(np.floor(np.diff(segments, axis=1).min() / bin + 1e-6))
    found = np.zeros((len(segments), n_bins, n_units))
    for trial, (start, _) in enumerate(segments):
        low, high = np.searchsorted(times, [start, start + n_bins * bin])
        place = np.minimum(((times[low:high] - start) / bin).astype(int), n_bins - 1)
        np.add.at(found[trial], (place, channels[low:high]), 1.0)
    return found
