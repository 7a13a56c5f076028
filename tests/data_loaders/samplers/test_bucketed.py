"""Bucketed: every window once per pass, in batches of like size."""

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data_loaders import padding
from data_loaders.samplers.bucketed import Bucketed
from data_loaders.samplers.shuffle import Shuffle


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    count=st.lists(st.integers(1, 60), min_size=1, max_size=6), batch_size=st.integers(1, 40), seed=st.integers(0, 99)
)
def test_every_window_comes_once_per_pass(runs, columns, count, batch_size, seed):
    sizes = [19 + 45 * (k % 3) for k in range(len(count))]
    windows = runs(*count, n_chans=sizes, n_times=[100] * len(count))
    sampler, n = Bucketed().bind(windows, batch_size, seed, columns(windows)), sum(count)
    drawn = sampler.at(np.arange(4 * n))
    for one in range(4):
        assert np.array_equal(np.sort(drawn[one * n : (one + 1) * n]), np.arange(n))


def test_batches_hold_one_size_but_where_two_sizes_meet(runs, columns):
    count, sizes = [400, 300, 500, 200], [64, 19, 64, 32]
    windows = runs(*count, n_chans=sizes, n_times=[100] * 4)
    sampler = Bucketed().bind(windows, 32, 0, columns(windows))
    chans = [np.array(sizes)[windows.locate(sampler.draw(step)[0])[0]] for step in range(5 * 1400 // 32)]
    assert np.mean([len(set(one.tolist())) > 1 for one in chans]) < 0.06
    assert len({tuple(sorted(set(one.tolist()))) for one in chans[:20]}) > 1, "sizes come one after the other"


def test_padding_is_counted_and_bucketing_leaves_little_of_it(runs, columns):
    windows = runs(500, 500, n_chans=[16, 64], n_times=[100, 100])
    sizes = {name: windows.metadata[name].to_numpy() for name in ("n_chans", "n_times")}
    shuffled = padding.share(Shuffle().bind(windows, 50, 0, columns(windows)), sizes, 20)
    # half of the windows fill a quarter of their rows
    assert 0.3 < shuffled < 0.45
    assert padding.share(Bucketed().bind(windows, 50, 0, columns(windows)), sizes, 20) == 0


def test_a_billion_windows_cost_nothing(runs, columns):
    windows = runs(10**9, 10**9, n_chans=[19, 64], n_times=[10, 10])
    drawn = Bucketed().bind(windows, 64, 0, columns(windows)).draw(10**6)[0]
    assert len(np.unique(drawn)) == 64
    assert len(set((drawn // 10**9).tolist())) == 1
