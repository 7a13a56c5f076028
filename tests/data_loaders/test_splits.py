"""Splits: nothing of a test part, nor what lies too near to it, is in training."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_loaders.intervals import apart, seconds, spans, too_near
from data_loaders.splits import By, Fold, KFold, LeaveOneOut, Named, Split, TimeBlock
from data_loaders.splits.base import deal
from data_loaders.windows import Windows, concatenate

SFREQ = 100.0


def tiled(n_recordings: int = 4, count: int = 60, stride: float = 0.5, length: float = 1.0) -> Windows:
    """One run of windows in each recording, each of its own subject, two sessions in all."""
    names = [f"sub-{i:02d}" for i in range(n_recordings)]
    rows = pd.DataFrame(
        {"recording_name": names, "subject": names, "session": [str(i % 2) for i in range(n_recordings)]}
    )
    ones = np.ones(n_recordings, dtype=np.int64)
    return Windows(
        np.arange(n_recordings),
        0 * ones,
        ones * round(stride * SFREQ),
        ones * count,
        rows.assign(segment=0, sfreq=SFREQ),
        (0.0, length),
    )


def events(onsets: list[float], length: float = 1.0, subjects: int = 1, **columns) -> Windows:
    """Single windows at onsets (seconds), the same in each subject's recording."""
    n = len(onsets)
    recording = np.repeat(np.arange(subjects), n)
    rows = pd.DataFrame({"recording_name": [f"rec-{r}" for r in recording], "subject": [str(r) for r in recording]})
    rows = rows.assign(
        segment=0, sfreq=SFREQ, onset=np.tile(onsets, subjects), **{k: np.tile(v, subjects) for k, v in columns.items()}
    )
    ones = np.ones(n * subjects, dtype=np.int64)
    return Windows(
        recording, np.round(np.tile(onsets, subjects) * SFREQ).astype(np.int64), ones, ones, rows, (0.0, length)
    )


def distance(a: Windows, b: Windows) -> float:
    """The least number of seconds between any two windows of a recording, one by one."""
    (one, other) = (
        [(int(w.recording[w.locate(np.array([i]))[0][0]]), *seconds(w, i)) for i in range(len(w))] for w in (a, b)
    )
    return min((max(s - t_, s_ - t) for r, s, t in one for r_, s_, t_ in other if r == r_), default=np.inf)


def ids(*parts: Windows) -> set[int]:
    return {int(i) for part in parts for i in part.ids()}


SPLITS = [
    By("subject", n_folds=4, val=0.4), By("session", n_folds=2, val=0.0), LeaveOneOut("subject", val=0.3),
    TimeBlock(4, gap=1.0), TimeBlock(3, gap=0.7, val=0.3), TimeBlock(3, gap=1.0, within="subject"),
]  # fmt: skip


@pytest.mark.parametrize("split", SPLITS, ids=lambda s: f"{type(s).__name__}-{s.key}-{s.within}")
def test_every_window_is_tested_once_and_no_window_is_on_two_sides(split: Split) -> None:
    windows = tiled()
    folds = split.folds(windows)
    assert sorted(i for fold in folds for i in ids(fold.test)) == sorted(ids(windows))
    for fold in folds:
        assert len(ids(fold.train, fold.val, fold.test)) == len(fold.train) + len(fold.val) + len(fold.test)
        assert ids(fold.train, fold.val, fold.test) <= ids(windows)


@pytest.mark.parametrize("key", ["subject", "session"])
def test_no_group_is_on_two_sides_of_a_split(key: str) -> None:
    windows = tiled(12).runs(np.arange(12))
    windows.metadata["session"] = [str(i % 3) for i in range(12)]
    for split in (By(key, n_folds=3), LeaveOneOut(key)):
        for fold in split.folds(windows):
            groups = [set(part.metadata[key]) for part in (fold.train, fold.val, fold.test)]
            assert len(set.union(*groups)) == sum(map(len, groups))
            assert all(groups)


@pytest.mark.parametrize("gap", [0.3, 1.0, 2.5])
def test_a_time_block_keeps_its_gap_between_all_parts(gap: float) -> None:
    for fold in TimeBlock(5, gap=gap, val=0.2).folds(tiled(2, count=150, stride=0.25)):
        for one, other in ((fold.train, fold.test), (fold.val, fold.test), (fold.train, fold.val)):
            assert distance(one, other) >= gap - 1e-9


def test_a_time_block_takes_no_more_than_the_gap() -> None:
    # 40 windows of 1 s, one each second: the third of five blocks is 16 to 24 s, and val the two... windows behind it
    fold = TimeBlock(5, gap=1.0, val=0.1).folds(tiled(1, count=40, stride=1.0))[2]
    starts = {name: sorted(getattr(fold, name).ids()) for name in ("train", "val", "test")}
    assert starts["test"] == [100 * s for s in range(16, 24)]
    # of 24 to 28 s behind the block, the first second is the gap, and one more lies before training goes on
    assert starts["val"] == [100 * s for s in range(25, 28)]
    assert starts["train"] == [100 * s for s in [*range(15), *range(29, 40)]]


def test_the_last_time_block_has_its_validation_before_it() -> None:
    fold = TimeBlock(5, gap=1.0, val=0.1).folds(tiled(1, count=40, stride=1.0))[4]
    assert sorted(fold.test.ids() // 100) == list(range(32, 40))
    assert sorted(fold.val.ids() // 100) == list(range(28, 31))


def test_a_stimulus_split_removes_neighbours_that_overlap_and_says_how_many(capsys) -> None:
    windows = events([0.6 * k for k in range(60)], stimulus=[f"s{k % 6}" for k in range(60)])
    folds = By("stimulus", n_folds=3, val=0.0).folds(windows)
    for fold in folds:
        assert not set(fold.train.metadata["stimulus"]) & set(fold.test.metadata["stimulus"])
        assert distance(fold.train, fold.test) >= 0
    assert "gap of 0 s leaves out of train and val, by fold: " in capsys.readouterr().out


def test_k_folds_share_every_class_evenly_within_each_subject() -> None:
    windows, labels = events([2.0 * k for k in range(40)], subjects=3), np.tile([0, 0, 0, 1], 30)
    folds = KFold(5).folds(windows, labels)
    assert len(folds) == 15
    label_of = dict(zip(windows.ids().tolist(), labels, strict=True))
    for fold in folds:
        assert len(set(fold.test.metadata["subject"]) | set(fold.train.metadata["subject"])) == 1
        assert sorted(label_of[int(i)] for i in fold.test.ids()) == [0] * 6 + [1] * 2


def test_groups_are_dealt_so_that_each_fold_has_every_class() -> None:
    # ten patients and ten controls: a blind deal to five folds would leave some fold without one of them
    windows, labels = tiled(20, count=30), np.repeat(np.arange(20) < 10, 30).astype(int)
    for seed in range(10):
        for fold in By("subject", n_folds=5).folds(windows, labels, seed):
            patients = [int(r < 10) for r in fold.test.recording]
            assert sorted(patients) == [0, 0, 1, 1]


@given(counts=st.lists(st.integers(0, 9), min_size=1, max_size=30), n_hands=st.integers(1, 7), seed=st.integers(0, 9))
def test_groups_without_classes_are_dealt_as_those_of_one_class_beside_an_empty_one(counts, n_hands, seed) -> None:
    one = np.array(counts)[:, None]
    dealt = [deal(table, n_hands, np.random.default_rng(seed)) for table in (one, np.c_[one, np.zeros_like(one)])]
    assert np.array_equal(*dealt)


@pytest.mark.parametrize(
    "split", [By("subject", n_folds=3), KFold(3, within=None), LeaveOneOut("subject")], ids=lambda s: type(s).__name__
)
def test_folds_follow_the_seed_alone(split: Split) -> None:
    windows = events([2.0 * k for k in range(12)], subjects=9)
    first, again, other = (split.folds(windows, None, seed) for seed in (0, 0, 1))
    described = [[(f.name, ids(f.train), ids(f.val), ids(f.test)) for f in folds] for folds in (first, again, other)]
    assert described[0] == described[1]
    assert described[0] != described[2]


def test_order_of_recordings_in_the_table_does_not_change_a_time_block() -> None:
    windows = tiled(3)
    one, other = (TimeBlock(4).folds(w) for w in (windows, windows.runs(np.array([2, 0, 1]))))
    assert [ids(f.test) for f in one] == [ids(f.test) for f in other]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: By("subject", n_folds=5).folds(tiled(3)), "180 windows have 3 distinct subject .*the 5 folds: set n_folds to 3"),
        (lambda: By("session").folds(tiled(6)), r"2 distinct session .* enough values \['recording_name', 'subject'\]"),
        (lambda: By("subjetc").folds(tiled()), "no column 'subjetc': did you mean 'subject'"),
        (lambda: LeaveOneOut("run").folds(tiled()), "no column 'run'"),
        (lambda: By("stimulus").folds(events([0.0, 2.0, 4.0], stimulus=["a", None, "b"])), "1 of 3 windows have no stimulus"),
        (lambda: KFold(3).folds(tiled()), r"touch the next, such as sub-00 \[0\.000, 1\.000\) s and \[0\.500, 1\.500\) s.*TimeBlock"),
        (lambda: KFold(3).folds(events([0.0, 1.0, 2.0, 3.0])), "overlap or touch"),
        (lambda: KFold(5).folds(events([2.0 * k for k in range(20)]), np.r_[[1] * 3, [0] * 17]), "no window of class '1'.*lower n_folds"),
        (lambda: TimeBlock(2).folds(tiled(2), np.tile(np.repeat([0, 1], 30), 2)), "no window of class"),
        (lambda: TimeBlock(5, gap=30.0).folds(tiled(1)), "no (train|val) window left after a gap of 30 s: shorten gap"),
        (lambda: TimeBlock(gap=0.0), "set gap to a second or more"),
        (lambda: TimeBlock(100).folds(tiled(2, count=20)), "as many as 100 windows"),
        (lambda: LeaveOneOut("session").folds(tiled(4)), "set val to 0"),
        (lambda: By(n_folds=1), "expected at least 2"),
        (lambda: By(val=0.9), "from 0 to 0.5"),
    ],
)  # fmt: skip
def test_an_impossible_split_is_told_its_repair(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_a_left_out_subject_may_lack_a_class() -> None:
    folds = LeaveOneOut("subject", val=0.0).folds(tiled(4, count=10), np.repeat([0, 0, 1, 1], 10))
    assert len(folds) == 4


def test_values_are_not_classes() -> None:
    assert len(By("subject", n_folds=2, val=0.0).folds(tiled(4), np.random.default_rng(0).standard_normal(240))) == 2


def test_a_billion_windows_are_split_without_being_counted_out() -> None:
    windows = tiled(1000, count=1_000_000, stride=0.1)
    fold = TimeBlock(5, gap=1.0).folds(windows)[1]
    assert sum(map(len, (fold.train, fold.val, fold.test))) > 999_000_000
    assert len(fold.train.first) <= 3000


runs = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 300), st.integers(1, 40), st.integers(1, 8)), min_size=1, max_size=6
)


def made(rows: list[tuple[int, int, int, int]]) -> Windows:
    recording, first, stride, count = (np.array(column) for column in zip(*rows, strict=True))
    metadata = pd.DataFrame({"sfreq": [SFREQ] * len(rows)})
    return Windows(recording, first + 5, stride, count, metadata, (-0.05, 0.2))


@given(a=runs, b=runs, gap=st.sampled_from([0.0, 0.01, 0.5, 2.0]))
@settings(max_examples=150, deadline=None)
def test_what_is_set_apart_is_just_what_keeps_the_gap_from_every_run(a, b, gap: float) -> None:
    part, other = made(a), made(b)
    left = ids(apart(part, other, gap))
    start, stop = spans(other)
    for i in range(len(part)):
        run, anchor = part.locate(np.array([i]))
        here = other.recording == part.recording[run[0]]
        clear = (anchor[0] + 20 + 100 * gap <= start) | (anchor[0] - 5 >= stop + 100 * gap)
        assert (int(part.ids(np.array([i]))[0]) in left) == bool(clear[here].all())


@given(a=runs, b=runs, gap=st.sampled_from([0.0, 0.01, 0.5]))
@settings(max_examples=150, deadline=None)
def test_windows_are_found_too_near_just_where_some_are(a, b, gap: float) -> None:
    one, other = made(a), made(b)
    found = too_near(one, other, gap, one.recording, other.recording)
    anchors = [w.locate(np.arange(len(w))) for w in (one, other)]
    same = one.recording[anchors[0][0]][:, None] == other.recording[anchors[1][0]]
    between = np.abs(anchors[0][1][:, None] - anchors[1][1]) - 25
    near = same & (between < 100 * gap)
    assert (found is not None) == bool(near.any())
    assert found is None or near[found]


def test_folds_of_single_runs_concatenate_to_the_whole() -> None:
    windows = tiled(4)
    fold = By("subject", n_folds=2, val=0.0).folds(windows)[0]
    assert isinstance(fold, Fold)
    assert ids(concatenate([fold.train, fold.test])) == ids(windows)


def test_named_groups_are_tested_on_and_no_others() -> None:
    (fold,) = Named("subject", ["sub-01", "sub-02"], val=0.5).folds(tiled())
    assert set(fold.test.metadata["subject"]) == {"sub-01", "sub-02"}
    assert len(fold.train) == len(fold.val) == 60
    assert not ids(fold.train) & ids(fold.val)
    with pytest.raises(ValueError, match="no window has the subject 'sub-1': did you mean 'sub-01'"):
        Named("subject", ["sub-1"]).folds(tiled())
    with pytest.raises(ValueError, match="name values of subject to test on"):
        Named("subject", [])
