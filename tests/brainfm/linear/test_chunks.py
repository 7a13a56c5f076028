"""Chunks: every row is held out once, and none is trained on that is too near in its run."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brainfm.linear.chunks import contiguous, resampled


@given(st.lists(st.integers(12, 60), min_size=1, max_size=4), st.integers(2, 4), st.integers(0, 3))
def test_folds_partition_the_rows_and_keep_their_distance(lengths: list[int], n_folds: int, gap: int) -> None:
    run = np.repeat(np.arange(len(lengths)), lengths)
    pairs = contiguous(run, n_folds, gap)
    assert (sum(held_out.astype(int) for _, held_out in pairs) == 1).all()
    place = np.concatenate([np.arange(n) for n in lengths])
    for train, held_out in pairs:
        apart = np.abs(place[train][:, None] - place[held_out])
        assert (apart[run[train][:, None] == run[held_out]] > gap).all()


def test_chunks_are_dealt_in_turn() -> None:
    _, held_out = contiguous(np.zeros(12, int), 2, chunk=3)[0]
    assert held_out.astype(int).tolist() == [1, 1, 1, 0, 0, 0, 1, 1, 1, 0, 0, 0]


def test_a_run_that_is_too_short_is_refused() -> None:
    with pytest.raises(ValueError, match="do not fill 3 folds"):
        contiguous(np.zeros(6, int), 3, gap=10)


def test_published_resampling_holds_out_a_quarter_in_whole_chunks() -> None:
    pairs = resampled(213, seed=1)
    assert [int(held_out.sum()) for _, held_out in pairs] == [40, 40, 40]  # int(0.25 * 213 / 20) = 2 chunks
    assert all(train[200:].all() and (train ^ held_out).all() for train, held_out in pairs)
    assert not np.array_equal(pairs[0][1], pairs[1][1])
