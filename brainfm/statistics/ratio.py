"""Scores that are a ratio of sums over windows, such as bits per spike: per subject, and what clusters drawn anew give."""

from __future__ import annotations

import numpy as np
import pandas as pd
from jaxtyping import Float
from numpy import ndarray

from brainfm.statistics.bootstrap import draw_weights, expanded_interval
from brainfm.statistics.dependence import inflation, mutual
from brainfm.statistics.predictions import WINDOW_COLUMNS, Predicted
from brainfm.statistics.units import Clusters, clusters


def clusters_of(windows: pd.DataFrame, target: str) -> Clusters:
    """What is resampled of these windows: subjects where there are enough, else recordings, trials or blocks of time."""
    rows = windows[list(WINDOW_COLUMNS)].reset_index(drop=True)
    return clusters(Predicted(target, rows, np.zeros((len(rows), 1)), {}, ()))


def per_subject(
    above: Float[ndarray, "window"], below: Float[ndarray, "window"], subject: ndarray
) -> Float[ndarray, "subject"]:
    """Each subject's sum of `above` over its sum of `below`, subjects sorted; NaN where that is zero.

    >>> per_subject(np.array([1.0, 2.0, 5.0]), np.array([1.0, 1.0, 2.0]), np.array(["a", "a", "b"]))
    array([1.5, 2.5])
    """
    _, code = np.unique(subject, return_inverse=True)
    over, under = np.bincount(code, above), np.bincount(code, below)
    return np.divide(over, under, out=np.full(len(over), np.nan), where=under > 0)


def interval(
    above: Float[ndarray, "window"],
    below: Float[ndarray, "window"],
    windows: pd.DataFrame,
    cluster: Clusters,
    n_bootstraps: int = 2000,
    seed: int = 0,
) -> tuple[float, float]:
    """The 95 % interval of the mean over subjects, when clusters are drawn anew; NaN where there is one cluster only.

    It is widened by all that folds share (`brainfm.statistics.dependence`, as where nothing is known of the training score).
    """
    subject = windows["subject"].to_numpy()
    weights = draw_weights(cluster.strata, n_bootstraps, np.random.default_rng(seed))
    each = per_subject(above, below, subject)
    if cluster.are_subjects:
        drawn = weights @ np.nan_to_num(each) / np.maximum(weights @ ~np.isnan(each), 1)
    else:
        by = weights[:, cluster.codes]  # [resample, window]
        own = [subject == name for name in np.unique(subject)]
        parts = [(by[:, one] @ above[one]) / np.maximum(by[:, one] @ below[one], 1e-30) for one in own]
        drawn = np.mean(parts, axis=0)
    n = len(cluster.strata) - len(np.unique(cluster.strata)) + 1
    wider = inflation(1.0, mutual(windows, cluster.codes), n)
    return expanded_interval(drawn, float(np.nanmean(each)), cluster.strata, wider)
