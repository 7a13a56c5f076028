"""A share of the training part is its beginning in every recording, or some of its people, and nothing else changes."""

from pathlib import Path

import numpy as np
import pytest

from data_loaders.ids import decode_id
from data_loaders.splits import By, TimeBlock
from data_loaders.splits.share import few_subjects, first_share, of_subjects, spread_share
from data_loaders.store import Store
from data_loaders.windows import Tile


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    path = tmp_path_factory.mktemp("store")
    X = np.random.default_rng(0).standard_normal((6, 2, 6000))
    return Store.from_arrays(Path(path), X, sfreq=100.0, subjects=[f"p{i // 3}" for i in range(6)])


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5])
def test_it_is_the_first_of_each_recording(store, share, capsys) -> None:
    fold = TimeBlock(n_folds=3, gap=1.0).folds(Tile(0.5).cut(store, (0.0, 0.5)))[1]
    small = first_share(fold, share)
    assert small.val is fold.val
    assert small.test is fold.test
    whole, kept = (decode_id(np.sort(part.train.ids())) for part in (fold, small))
    for recording in range(len(store)):
        mine, all_ = (anchor[of == recording] for of, anchor in (kept, whole))
        assert len(mine) == max(1, round(share * len(all_)))
        assert np.array_equal(mine, all_[: len(mine)])
    assert f"{len(small.train)} of {len(fold.train)} training windows" in capsys.readouterr().out


def test_the_whole_is_the_fold_itself(store) -> None:
    fold = TimeBlock(n_folds=3, gap=1.0).folds(Tile(0.5).cut(store, (0.0, 0.5)))[0]
    assert first_share(fold, 1.0) is fold


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5])
def test_a_spread_share_has_as_many_of_each_recording_from_all_over_it(store, share, capsys) -> None:
    fold = TimeBlock(n_folds=3, gap=1.0).folds(Tile(0.5).cut(store, (0.0, 0.5)))[0]
    small = spread_share(fold, share)
    assert small.val is fold.val
    whole, kept = (decode_id(np.sort(part.train.ids())) for part in (fold, small))
    for recording in range(len(store)):
        mine, all_ = (anchor[of == recording] for of, anchor in (kept, whole))
        assert len(mine) == max(1, round(share * len(all_)))
        assert np.isin(mine, all_).all()
        steps = np.diff(np.searchsorted(all_, mine))
        assert len(steps) == 0 or steps.max() - steps.min() <= 1
    assert "evenly spaced" in capsys.readouterr().out


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Store:
    X = np.random.default_rng(0).standard_normal((20, 2, 100))
    return Store.from_arrays(tmp_path_factory.mktemp("people") / "store", X, sfreq=100.0, subjects=list("abcde") * 4)


def trained_on(fold) -> set[str]:
    return set(fold.train.metadata["subject"])


def test_fewer_people_are_some_of_more_and_others_by_another_seed(people, capsys) -> None:
    fold = By(key="subject", n_folds=5, val=0.0).folds(Tile(0.5).cut(people, (0.0, 0.5)))[0]
    drawn = [trained_on(few_subjects(fold, n, seed=3)) for n in (1, 2, 3, 4)]
    assert [len(of) for of in drawn] == [1, 2, 3, 4]
    assert drawn[0] < drawn[1] < drawn[2] < drawn[3] == trained_on(fold)
    assert "train_subjects: 1 of 4 people" in capsys.readouterr().out
    assert len({frozenset(trained_on(few_subjects(fold, 1, seed))) for seed in range(9)}) > 1
    assert few_subjects(fold, 2, 0).test is fold.test
    assert few_subjects(fold, None, 0) is fold
    with pytest.raises(ValueError, match=r"train_subjects is 5, but fold .* trains on 4: lower it to 4"):
        few_subjects(fold, 5, 0)


def test_only_the_people_that_are_named_have_windows(people) -> None:
    windows = Tile(0.5).cut(people, (0.0, 0.5))
    assert set(of_subjects(windows, ["a", "c"]).metadata["subject"]) == {"a", "c"}
    assert of_subjects(windows, None) is windows
    with pytest.raises(ValueError, match="subjects names 'z', of whom there are no windows"):
        of_subjects(windows, ["a", "z"])
