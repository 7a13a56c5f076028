"""Shuffle: every window once per pass, the same for any way of asking."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_loaders.samplers.shuffle import Shuffle


def test_steps_may_be_asked_for_in_any_order_and_again(runs):
    sampler = Shuffle().bind(runs(1000), 48, 3, lambda name: None)
    straight = [sampler.draw(step).tolist() for step in range(300)]
    again = Shuffle().bind(runs(1000), 48, 3, lambda name: None)
    assert all(again.draw(step).tolist() == straight[step] for step in (299, 0, 85, 84, 170, 86, 1))


def test_a_batch_larger_than_what_is_drawn_at_once_is_whole(runs):
    sampler = Shuffle().bind(runs(20_000), 10_000, 0, lambda name: None)
    drawn = np.concatenate([sampler.draw(step)[0] for step in (0, 1)])
    assert np.array_equal(np.sort(drawn), np.arange(20_000))


def test_a_billion_windows_cost_only_what_is_asked(runs):
    sampler = Shuffle().bind(runs(10**9), 64, 0, lambda name: None)
    drawn = np.concatenate([sampler.draw(step)[0] for step in range(1000)])
    assert len(np.unique(drawn)) == 64_000
    # uniform over the whole range: the mean of 64,000 has a standard error of 0.00114 of it
    assert drawn.mean() / 1e9 == pytest.approx(0.5, abs=0.006)


@given(batch_size=st.integers(1, 5000), step=st.integers(0, 10**6))
def test_the_chunk_in_which_a_place_is_drawn_does_not_show(batch_size, step):
    import pandas as pd

    from data_loaders.windows import Windows

    one = np.ones(1, dtype=np.int64)
    windows = Windows(one * 0, one * 0, one, one * 777, pd.DataFrame({"sfreq": [1.0]}), (0.0, 1.0))
    sampler = Shuffle().bind(windows, batch_size, 1, lambda name: None)
    assert np.array_equal(sampler.draw(step)[0], sampler.at(step * batch_size + np.arange(batch_size)))
