"""Samplers: pure in (seed, step), every window once per pass, shares balanced."""

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from data_loaders.samplers.balanced import Balanced
from data_loaders.samplers.base import Sampler
from data_loaders.samplers.hashing import permute, uniform
from data_loaders.samplers.sequential import Sequential
from data_loaders.samplers.shuffle import Shuffle
from data_loaders.samplers.time_delta import TimeDelta
from data_loaders.windows import Windows


def tiled(n: int) -> Windows:
    one = np.ones(1, dtype=np.int64)
    return Windows(one * 0, one * 0, one * 10, one * n, pd.DataFrame({"subject": ["01"], "sfreq": [100.0]}), (0.0, 0.1))


def bound(sampler: Sampler, n: int, batch_size: int, seed: int = 0, labels: np.ndarray | None = None) -> Sampler:
    return sampler.bind(tiled(n), batch_size, seed, lambda name: np.zeros(n) if labels is None else labels)


@given(size=st.integers(1, 3000), seed=st.integers(0, 2**40))
def test_a_keyed_permutation_reaches_every_index_once(size: int, seed: int) -> None:
    assert np.array_equal(np.sort(permute(np.arange(size), size, seed)), np.arange(size))


def test_a_permutation_of_a_trillion_costs_only_what_is_asked() -> None:
    drawn = permute(np.array([0, 1, 10**12 - 1]), 10**12, 7)
    assert len(set(drawn.tolist())) == 3
    assert ((drawn >= 0) & (drawn < 10**12)).all()


def test_hashes_are_uniform() -> None:
    histogram, _ = np.histogram(uniform(np.arange(100_000), 3), bins=20, range=(0, 1))
    # chi-square with 19 degrees of freedom: 43.8 is exceeded once in a thousand
    assert ((histogram - 5000) ** 2 / 5000).sum() < 43.8


@given(n=st.integers(1, 200), batch_size=st.integers(1, 64), seed=st.integers(0, 1000))
def test_shuffle_draws_every_window_once_per_pass_and_never_a_short_batch(n: int, batch_size: int, seed: int) -> None:
    sampler = bound(Shuffle(), n, batch_size, seed)
    steps = -(-2 * n // batch_size)
    drawn = np.concatenate([sampler.draw(step)[0] for step in range(steps)])
    assert len(drawn) == steps * batch_size
    assert np.array_equal(np.sort(drawn[:n]), np.arange(n))
    assert np.array_equal(np.sort(drawn[n : 2 * n]), np.arange(n))


def test_shuffle_is_pure_in_seed_and_step() -> None:
    one, two, other = bound(Shuffle(), 100, 8, 1), bound(Shuffle(), 100, 8, 1), bound(Shuffle(), 100, 8, 2)
    two.draw(3)
    assert np.array_equal(one.draw(40), two.draw(40))
    assert not np.array_equal(one.draw(40), other.draw(40))


def test_shuffle_changes_the_order_from_pass_to_pass() -> None:
    sampler = bound(Shuffle(), 64, 64)
    assert not np.array_equal(sampler.draw(0), sampler.draw(1))


def test_sequential_ends_with_a_short_batch() -> None:
    sampler = bound(Sequential(), 10, 4)
    assert [sampler.draw(step)[0].tolist() for step in range(4)] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9], []]


def test_balanced_gives_a_rare_class_an_equal_share_and_every_member_a_turn() -> None:
    labels = np.array([0] * 95 + [1] * 5)
    sampler = bound(Balanced("task"), 100, 50, 0, labels)
    drawn = np.concatenate([sampler.draw(step)[0] for step in range(100)])
    assert abs((labels[drawn] == 1).mean() - 0.5) < 0.02
    counts = np.bincount(drawn, minlength=100)
    assert counts[95:].min() > 0.8 * counts[95:].max()
    assert (counts > 0).all()


def test_a_positive_of_time_delta_has_the_label_nearest_to_the_moved_reference() -> None:
    position = np.linspace(0, 1, 500)
    sampler = bound(TimeDelta(["position"], time_offset=0.5), 500, 64, 0, position)
    reference, positive, negative = sampler.draw(5)
    # 0.5 s are 5 strides of 0.1 s, and position grows evenly, so the positive is 5 windows on, or the last other one
    last = np.where(reference == 499, 498, 499)
    assert np.array_equal(positive, np.minimum(reference + 5, last))
    assert not np.array_equal(reference, negative)
