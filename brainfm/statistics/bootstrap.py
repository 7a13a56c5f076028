"""Bootstrap intervals over clusters: subjects where there are enough, else sessions, recordings, trials or blocks of time."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray
from scipy import stats

from brainfm.statistics.metrics import ClassTally, Tally


def draw_weights(
    strata: Int[ndarray, "cluster"], n: int, rng: np.random.Generator
) -> Float[ndarray, "resample cluster"]:
    """How often each cluster is drawn, with replacement, among the clusters of its own stratum."""
    weights = np.zeros((n, len(strata)))
    for stratum in np.unique(strata):
        members = np.flatnonzero(strata == stratum)
        weights[:, members] = rng.multinomial(len(members), np.full(len(members), 1 / len(members)), size=n)
    return weights


def expanded_interval(
    resampled: Float[ndarray, "resample"],
    value: float,
    strata: Int[ndarray, "cluster"],
    inflation: float = 1.0,
    level: float = 0.95,
) -> tuple[float, float]:
    """The bootstrap percentiles around `value`, moved outwards as a t interval is wider than a normal one.

    The plain percentile interval covers too little with few clusters. Its median is moved onto the value: resamples
    lose classes and variance, which pulls macro F1 and R2 down in every one of them. `inflation` multiplies the variance
    (see `brainfm.statistics.dependence`). NaN where the spread is unknown.
    Reference: Hesterberg 2015, What teachers should know about the bootstrap, https://doi.org/10.1080/00031305.2015.1089789
    """
    n_clusters, n_strata = len(strata), len(np.unique(strata))
    freedom = n_clusters - n_strata
    if freedom < 1 or np.isnan(resampled).all():
        return float("nan"), float("nan")
    widening = np.sqrt(n_clusters / freedom)  # one stratum: sqrt(n / (n - 1))
    tail = stats.norm.cdf(widening * stats.t.ppf((1 - level) / 2, freedom))
    low, middle, high = np.nanquantile(resampled, [tail, 0.5, 1 - tail])
    wider = np.sqrt(inflation)
    return float(value + wider * (low - middle)), float(value + wider * (high - middle))


def resampled_values(
    tally: Tally,
    truth: ndarray,
    prediction: Float[ndarray, "sample output"],
    cluster: Int[ndarray, "sample"],
    weights: Float[ndarray, "resample cluster"],
) -> dict[str, Float[ndarray, "resample"]]:
    """Every metric of one group of samples, each resample counting a cluster as often as its weight says."""
    codes, inverse = np.unique(cluster, return_inverse=True)
    weights = weights[:, codes]
    features = tally.features(truth, prediction)
    cross = _per_cluster(np.einsum("sf,sfp->sfp", features.truth, features.prediction), inverse)
    margin, n = _per_cluster(features.margin, inverse), np.bincount(inverse).astype(float)
    sums = [np.tensordot(weights, part, axes=1) for part in (cross, n, margin)]
    filled = sums[1] > 0  # a resample may leave this group empty
    values = {metric: np.full(len(weights), np.nan) for metric in tally.metrics}
    for metric, value in tally.values(*(part[filled] for part in sums)).items():
        values[metric][filled] = value
    if isinstance(tally, ClassTally):  # ranks change with the weights: count the pairs instead
        values["auroc"] = _resampled_auroc(tally, truth, prediction, inverse, weights)
    return values


def _resampled_auroc(
    tally: ClassTally, truth: ndarray, prediction: ndarray, cluster: ndarray, weights: ndarray
) -> Float[ndarray, "resample"]:
    areas = np.full((len(weights), tally.n_classes), np.nan)
    for k in range(tally.n_classes):
        wins, pairs = pair_counts(truth == k, prediction[:, k], cluster)
        won, all_pairs = (np.einsum("rc,rc->r", weights @ table, weights) for table in (wins, pairs))
        areas[:, k] = np.divide(won, all_pairs, out=areas[:, k], where=all_pairs > 0)
    return tally.auroc(areas, ~np.isnan(areas))


def pair_counts(
    positive: ndarray, score: Float[ndarray, "sample"], cluster: Int[ndarray, "sample"]
) -> tuple[Float[ndarray, "cluster cluster"], Float[ndarray, "cluster cluster"]]:
    """How often a positive of cluster a scores above a negative of cluster b (ties count half), and how many such pairs.

    >>> pair_counts(np.array([True, False]), np.array([0.9, 0.1]), np.array([0, 0]))
    (array([[1.]]), array([[1.]]))
    """
    n_clusters = int(cluster.max()) + 1
    distinct, position = np.unique(score, return_inverse=True)
    shape = (len(distinct), n_clusters)
    cell = position * n_clusters + cluster
    up = np.bincount(cell[positive], minlength=shape[0] * shape[1]).reshape(shape).astype(float)
    down = np.bincount(cell[~positive], minlength=shape[0] * shape[1]).reshape(shape).astype(float)
    below = np.cumsum(down, axis=0) - down / 2
    return up.T @ below, np.outer(up.sum(0), down.sum(0))


def _per_cluster(values: ndarray, inverse: ndarray) -> ndarray:
    """Sums over the samples of each cluster."""
    total = np.zeros((int(inverse.max()) + 1, *values.shape[1:]))
    np.add.at(total, inverse, values)
    return total
