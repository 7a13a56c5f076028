"""Balanced: equal shares, and each group's windows in turn."""

import numpy as np
import pytest

from data_loaders.samplers.balanced import Balanced


def test_groups_get_equal_shares_and_their_windows_take_turns(runs, columns):
    windows = runs(90, 5, 5, study=["A", "B", "A"])
    sampler = Balanced("study").bind(windows, 50, 0, columns(windows))
    drawn = np.concatenate([sampler.draw(step)[0] for step in range(400)])
    count = np.bincount(drawn, minlength=100)
    assert count[90:95].sum() / len(drawn) == pytest.approx(0.5, abs=0.015)
    # 10,000 draws over 95 windows: turns keep the spread below that of chance, 10.3
    assert np.delete(count, slice(90, 95)).std() < 10
    assert count.min() > 0


def test_labels_of_runs_and_of_windows_give_the_same_order(runs, columns):
    windows = runs(30, 10, 20, kind=["x", "y", "x"])
    spread = np.repeat(["x", "y", "x"], [30, 10, 20])
    by_run = Balanced("kind").bind(windows, 16, 4, columns(windows))
    by_window = Balanced("kind").bind(windows, 16, 4, lambda name: spread)
    assert all(np.array_equal(by_run.draw(step), by_window.draw(step)) for step in range(20))


def test_a_billion_windows_cost_nothing(runs, columns):
    windows = runs(10**9, 7, study=["A", "B"])
    drawn = Balanced("study").bind(windows, 64, 0, columns(windows)).draw(10**6)[0]
    assert set(drawn[drawn >= 10**9] - 10**9) <= set(range(7))
    assert 20 < (drawn >= 10**9).sum() < 44
