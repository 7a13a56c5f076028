"""A share of the training part is its beginning in every recording, and nothing else changes."""

from pathlib import Path

import numpy as np
import pytest

from data_loaders.splits import TimeBlock
from data_loaders.splits.share import first_share
from data_loaders.store import Store
from data_loaders.windows import Tile, decode_id


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
