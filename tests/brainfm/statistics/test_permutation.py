"""Permuted sums equal those of permuted truth, and slow signals keep their slowness."""

import numpy as np
import pytest
from scipy.signal import lfilter

from brainfm.statistics.metrics import ClassTally, ValueTally
from brainfm.statistics.permutation import p_value, shifted, shuffled, slow


def test_shuffling_gives_every_metric_of_some_permutation() -> None:
    truth, guess = np.array([0, 0, 1]), np.array([[0.9, 0.1], [0.6, 0.4], [0.3, 0.7]])
    tally = ClassTally(2)
    features = tally.features(truth, guess)
    crossed = shuffled(features, np.arange(3), 300, np.random.default_rng(0))
    found = tally.values(crossed, 3.0, features.margin.sum(0))["auroc"]
    assert set(found.tolist()) == {0.0, 0.5, 1.0}
    assert found.mean() == pytest.approx(0.5, abs=0.08)


def test_windows_of_one_trial_are_dealt_together() -> None:
    truth = np.repeat([0, 1], 10)
    guess = np.eye(2)[truth]
    features = ClassTally(2).features(truth, guess)
    crossed = shuffled(features, np.repeat([0, 1], 10), 200, np.random.default_rng(0))
    accuracy = ClassTally(2).values(crossed, 20.0, features.margin.sum(0))["accuracy"]
    assert set(accuracy.tolist()) == {0.0, 1.0}


def test_units_of_unequal_size_change_how_often_a_class_occurs() -> None:
    truth, unit = np.array([0, 0, 0, 1]), np.array([0, 0, 0, 1])
    crossed = shuffled(ClassTally(2).features(truth, np.eye(2)[truth]), unit, 50, np.random.default_rng(0))
    assert {tuple(count) for count in crossed[..., 0].tolist()} == {(3.0, 1.0), (1.0, 3.0)}


def test_shifting_gives_the_metrics_of_rolled_truth() -> None:
    rng = np.random.default_rng(0)
    truth, guess = rng.standard_normal((7, 2)), rng.standard_normal((7, 2))
    tally = ValueTally(2)
    features = tally.features(truth, guess)
    crossed = shifted(features, np.zeros(7, dtype=int), 200, rng)
    found = tally.values(crossed, 7.0, features.margin.sum(0))["r2"]
    rolled = [tally.score(np.roll(truth, k, axis=0), guess)["r2"] for k in range(7)]
    assert np.unique(found.round(9)) == pytest.approx(np.unique(np.round(rolled, 9)))


def test_two_unrelated_slow_signals_look_related_to_shuffling_but_not_to_shifting() -> None:
    rng = np.random.default_rng(0)
    tally, alarms = ValueTally(1), {"shuffled": 0, "shifted": 0}
    for _ in range(60):
        truth, guess = (lfilter([1], [1, -0.95], rng.standard_normal((600, 1)), axis=0) for _ in range(2))
        features, observed = tally.features(truth, guess), tally.score(truth, guess)["pearson_r"]
        nulls = {"shuffled": shuffled(features, np.arange(600), 99, rng)}
        nulls["shifted"] = shifted(features, np.zeros(600, dtype=int), 99, rng)
        for name, crossed in nulls.items():
            null = tally.values(crossed, 600.0, features.margin.sum(0))["pearson_r"]
            alarms[name] += p_value(observed, null) <= 0.05
    assert alarms["shifted"] <= 9  # 60 * 0.05 = 3, and 9 is beyond the 99.5th percentile
    assert alarms["shuffled"] >= 15


def test_p_counts_the_observed_order_among_the_permutations() -> None:
    assert p_value(0.9, np.array([0.5, 0.6, 0.9, 0.4])) == 2 / 5
    assert np.isnan(p_value(float("nan"), np.zeros(3)))


def test_blocks_of_one_label_are_slow_and_random_labels_are_not() -> None:
    piece = np.zeros(200, dtype=int)
    assert slow(np.arange(200) // 20 % 2, piece)
    assert not slow(np.random.default_rng(0).integers(0, 2, 200), piece)
