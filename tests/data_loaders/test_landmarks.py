"""Landmarks of many channels at once are those of each channel alone."""

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from data_loaders.leakage.landmarks import _marks, _turns

levels = st.lists(st.lists(st.integers(0, 2), min_size=12, max_size=12), min_size=1, max_size=3)


@given(signal=levels, start=st.integers(0, 9))
def test_turning_points_are_where_a_channel_last_moved_the_other_way(signal: list[list[int]], start: int) -> None:
    found = _turns(np.array(signal, np.float32).T, start)
    for channel, turns in zip(signal, found, strict=True):
        moves = [(k, channel[k + 1] > channel[k]) for k in range(11) if channel[k + 1] != channel[k]]
        wanted = [start + k for (_, before), (k, after) in itertools.pairwise(moves) if before != after]
        assert turns.tolist() == wanted


@given(lengths=st.lists(st.integers(0, 200), min_size=1, max_size=4), seed=st.integers(0, 9))
def test_no_landmark_reaches_from_one_channel_into_the_next(lengths: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    series = [np.cumsum(rng.integers(1, 9, length)) for length in lengths]
    alone = [_marks([one]) for one in series]
    for together, apart in zip(_marks(series), zip(*alone, strict=True), strict=True):
        assert np.array_equal(together, np.concatenate(apart))
