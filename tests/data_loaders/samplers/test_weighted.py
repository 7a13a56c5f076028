"""Weighted: frequencies follow the weights, memory follows runs."""

import numpy as np
import pytest

from data_loaders.samplers.weighted import Weighted


def drawn(sampler, n_steps=400):
    return np.concatenate([sampler.draw(step)[0] for step in range(n_steps)])


def test_windows_come_as_often_as_their_weights_say(runs, columns):
    windows = runs(100, 300, 50, study=["A", "B", "C"])
    positions = drawn(Weighted("study", {"A": 3.0, "C": 0.0}).bind(windows, 64, 0, columns(windows)))
    share = np.bincount(windows.locate(positions)[0], minlength=3) / len(positions)
    # masses 300 : 300 : 0 over 25,600 draws; the standard error of a half is 0.003
    assert share[:2] == pytest.approx([0.5, 0.5], abs=0.013)
    assert share[2] == 0
    within = np.bincount(positions[positions < 100], minlength=100)
    # chi-square with 99 degrees of freedom: 149 is exceeded once in a thousand
    assert ((within - within.mean()) ** 2 / within.mean()).sum() < 149


def test_per_value_every_dataset_is_seen_equally_often(runs, columns):
    windows = runs(1000, 10, 30, study=["A", "B", "B"])
    positions = drawn(Weighted("study", {}, per="value").bind(windows, 64, 0, columns(windows)))
    assert (positions < 1000).mean() == pytest.approx(0.5, abs=0.013)
    assert (positions >= 1010).mean() == pytest.approx(0.375, abs=0.013)


def test_a_column_may_hold_the_weights(runs, columns):
    windows = runs(10, 10, weight=[1.0, 4.0])
    positions = drawn(Weighted("weight").bind(windows, 64, 0, columns(windows)))
    assert (positions >= 10).mean() == pytest.approx(0.8, abs=0.01)


def test_labels_that_change_within_a_run_are_followed(runs):
    label = np.repeat(["quiet", "move", "quiet"], [60, 20, 20])
    positions = drawn(Weighted("state", {"move": 4.0}).bind(runs(100), 64, 0, lambda name: label))
    assert ((positions >= 60) & (positions < 80)).mean() == pytest.approx(0.5, abs=0.013)


def test_a_billion_windows_cost_nothing(runs, columns):
    windows = runs(10**9, 10, study=["A", "B"])
    positions = drawn(Weighted("study", {}, per="value").bind(windows, 64, 0, columns(windows)), 50)
    assert (positions >= 10**9).mean() == pytest.approx(0.5, abs=0.04)


@pytest.mark.parametrize(
    ("weights", "told"),
    [({"D": 1.0}, "has no value 'D'; it has \\['A', 'B'\\]"), ({"A": 0.0, "B": 0.0}, "all windows have weight 0")],
)
def test_weights_that_fit_no_window_are_refused(runs, columns, weights, told):
    windows = runs(5, 5, study=["A", "B"])
    with pytest.raises(ValueError, match=told):
        Weighted("study", weights).bind(windows, 4, 0, columns(windows))


def test_a_column_of_weights_with_a_gap_is_refused(runs, columns):
    windows = runs(5, 5, weight=[1.0, np.nan])
    with pytest.raises(ValueError, match="missing or below zero"):
        Weighted("weight").bind(windows, 4, 0, columns(windows))
