"""Inner folds ask for what the test part asks for, and keep stretches of time apart."""

import numpy as np

from brainfm.baselines.base import inner_folds


def test_unseen_subjects_are_held_out_whole() -> None:
    subject = np.repeat(np.arange(7), 10)
    folds = inner_folds(subject, subject, None)
    assert folds.how == "5 folds over 7 groups"
    assert all(not set(subject[known]) & set(subject[held_out]) for known, held_out in folds.pairs)


def test_every_window_is_held_out_once() -> None:
    rng = np.random.default_rng(0)
    session, y = np.repeat([0, 1, 2], 50), rng.integers(0, 3, 150)
    for folds in (inner_folds(session, None, y), inner_folds(session, None, None, 3), inner_folds(session, session, y)):
        assert np.array_equal(np.sort(np.concatenate([held_out for _, held_out in folds.pairs])), np.arange(150))


def test_stretches_are_contiguous_in_each_session_and_a_gap_is_dropped_on_both_sides() -> None:
    session = np.repeat([0, 1], 300)
    known, held_out = inner_folds(session, None, None, 3).pairs[1]
    assert held_out.tolist() == [*range(100, 200), *range(400, 500)]
    assert not set(known.tolist()) & ({*range(94, 206)} | {*range(394, 506)})
    assert {93, 206, 393, 506} <= set(known.tolist())


def test_labels_in_blocks_are_all_on_both_sides() -> None:
    y = np.repeat([0, 1, 2, 3], 20)
    for known, held_out in inner_folds(np.zeros(80, dtype=int), None, y).pairs:
        assert set(y[known]) == set(y[held_out]) == {0, 1, 2, 3}


def test_classes_with_few_windows_are_held_out_in_as_many_parts_as_they_have() -> None:
    folds = inner_folds(np.zeros(12, dtype=int), None, np.repeat([0, 1, 2], 4))
    assert len(folds.pairs) == 4
    assert all(len(held_out) == 3 for _, held_out in folds.pairs)
    assert "4 folds" in folds.how
