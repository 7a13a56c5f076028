"""Resampled metrics equal those of the resampled data, and intervals are as wide as theory says."""

import numpy as np
import pytest
from scipy import stats

from brainfm.statistics.bootstrap import draw_weights, expanded_interval, pair_counts, resampled_values
from brainfm.statistics.metrics import ClassTally, Tally, ValueTally


def repeated(cluster: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """The samples of a resample, written out."""
    return np.repeat(np.arange(len(cluster)), weight[cluster].astype(int))


@pytest.mark.parametrize("tally", [ClassTally(2), ClassTally(3), ValueTally(2)], ids=["binary", "classes", "values"])
def test_a_weighted_metric_is_the_metric_of_the_resampled_samples(tally: Tally) -> None:
    rng = np.random.default_rng(0)
    n, cluster = 300, rng.integers(0, 12, 300)
    if isinstance(tally, ClassTally):
        truth, guess = rng.integers(0, tally.n_classes, n), np.round(rng.random((n, tally.n_classes)), 1)
    else:
        truth, guess = rng.standard_normal((n, 2)) + 3, rng.standard_normal((n, 2))
    weights = draw_weights(np.zeros(12, dtype=int), 5, rng)
    values = resampled_values(tally, truth, guess, cluster, weights)
    for i, weight in enumerate(weights):
        rows = repeated(cluster, weight)
        expected = tally.score(truth[rows], guess[rows])
        assert {metric: value[i] for metric, value in values.items()} == pytest.approx(expected)


def test_pair_counts_add_up_to_the_mann_whitney_statistic() -> None:
    rng = np.random.default_rng(0)
    score, positive, cluster = np.round(rng.random(200), 1), rng.random(200) < 0.3, rng.integers(0, 7, 200)
    wins, pairs = pair_counts(positive, score, cluster)
    assert wins.sum() == pytest.approx(stats.mannwhitneyu(score[positive], score[~positive]).statistic)
    assert pairs.sum() == positive.sum() * (~positive).sum()


def test_clusters_are_drawn_within_their_stratum() -> None:
    strata = np.array([0, 0, 0, 1, 1])
    weights = draw_weights(strata, 100, np.random.default_rng(0))
    assert (weights[:, strata == 0].sum(1) == 3).all()
    assert (weights[:, strata == 1].sum(1) == 2).all()


def test_the_interval_of_a_mean_is_the_t_interval() -> None:
    values = np.random.default_rng(0).standard_normal(12)
    strata = np.zeros(12, dtype=int)
    means = draw_weights(strata, 200_000, np.random.default_rng(1)) @ values / 12
    expected = stats.t.interval(0.95, 11, loc=values.mean(), scale=stats.sem(values))
    assert expanded_interval(means, values.mean(), strata) == pytest.approx(expected, abs=0.03)


def test_one_cluster_per_stratum_has_no_interval() -> None:
    assert np.isnan(expanded_interval(np.ones(50), 1.0, np.arange(3))).all()
