"""Blocks: every window once per pass, from few stretches at a time."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data_loaders.samplers.blocks import Blocks


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(n=st.integers(1, 400), size=st.integers(1, 50), mixed=st.integers(1, 9), seed=st.integers(0, 99))
def test_every_window_comes_once_per_pass(runs, n, size, mixed, seed):
    sampler = Blocks(size, mixed).bind(runs(n), 8, seed, lambda name: None)
    drawn = sampler.at(np.arange(3 * n))
    for one in range(3):
        assert np.array_equal(np.sort(drawn[one * n : (one + 1) * n]), np.arange(n))


def test_a_pool_lies_in_as_many_stretches_as_it_mixes_blocks(runs):
    sampler = Blocks(64, 8).bind(runs(10_000), 32, 0, lambda name: None)
    pool = np.sort(sampler.at(np.arange(8 * 64)))
    stretches = 1 + (np.diff(pool) > 1).sum()
    # a block may reach over the end of the table, and begins there anew
    assert stretches <= 9


def test_blocks_begin_elsewhere_in_every_pass_and_windows_within_are_shuffled(runs):
    sampler = Blocks(10, 1).bind(runs(1000), 10, 0, lambda name: None)
    first = [np.sort(sampler.at(np.arange(number * 1000, number * 1000 + 10)))[0] % 10 for number in range(20)]
    assert len(set(first)) > 3
    assert any(np.any(np.diff(sampler.at(np.arange(10 * k, 10 * k + 10))) != 1) for k in range(3))


def test_a_billion_windows_cost_nothing(runs):
    drawn = Blocks().bind(runs(10**9), 64, 0, lambda name: None).draw(10**6)[0]
    assert len(np.unique(drawn)) == 64
    assert (np.unique(drawn // 64).size) <= 64


def test_sizes_below_one_are_refused():
    with pytest.raises(ValueError, match="expected at least 1 each"):
        Blocks(size=0)
