"""The data module: folds, facts, tables, and what it refuses."""

from pathlib import Path

import numpy as np
import pytest

from data_loaders.contracts import Field
from data_loaders.datamodule import Data
from data_loaders.splits import By, TimeBlock
from data_loaders.store import Store
from data_loaders.transforms import BandPass, Clamp, RobustScale
from data_loaders.windows import Around, Tile


@pytest.fixture
def store(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((80, 3, 100)) * np.repeat(np.arange(1, 5), 20)[:, None, None]
    Store.from_arrays(tmp_path, X, ["a", "b"] * 40, sfreq=100.0, subjects=np.repeat(["1", "2", "3", "4"], 20))
    return tmp_path


def data_of(store: Path, **changes: object) -> Data:
    options = {
        "windows": Around(),
        "fields": {"signal": Field(0.0, 1.0)},
        "split": By("subject", 4, val=0.3),
        "targets": ["trial_type"],
    }
    return Data(str(store), **{**options, "batch_size": 16, **changes})


def test_every_window_is_tested_once(store: Path) -> None:
    data = data_of(store)
    data.setup()
    tested = np.concatenate([fold.test.ids() for fold in data.folds])
    assert np.array_equal(np.sort(tested), np.sort(data.windows.ids()))


def test_scales_are_learned_from_the_training_part_alone(store: Path) -> None:
    data = data_of(store, transforms=[RobustScale()])
    for number in range(4):
        fold = data.use(number)
        train = np.concatenate([batch.signal.numpy() for batch in data.part("train")])
        spread = np.subtract(*np.percentile(train, [75, 25], axis=(0, 2)))
        assert np.allclose(spread, 1.0, atol=1e-4)
        assert len(fold.test)


def test_the_table_of_a_part_names_recording_time_and_truth(store: Path) -> None:
    data = data_of(store)
    data.use(1)
    table = data.metadata("test")
    batch = next(iter(data.part("test")))
    truth = [data.targets[0].classes[i] for i in batch.targets["trial_type"]]
    assert table.loc[batch.window_id.numpy(), "true_trial_type"].tolist() == truth
    assert table.index.is_unique
    assert set(table.columns) >= {"recording_name", "subject", "session", "run", "onset_s", "fold"}


def test_facts_are_what_the_batches_show(store: Path) -> None:
    data = data_of(store)
    facts = data.facts()
    data.use(0)
    assert (facts["n_chans"], facts["n_times"], facts["n_outputs"], facts["sfreq"]) == (3, 100, 2, 100.0)
    train = np.concatenate([batch.targets["trial_type"].numpy() for batch in data.part("train")])
    assert data.fold_facts() == {"class_counts": np.bincount(train).tolist()}


def test_two_seeds_draw_two_orders_and_one_seed_draws_one(store: Path) -> None:
    drawn = []
    for seed in (0, 0, 1):
        data = data_of(store)
        data.use(0, seed)
        drawn.append(next(iter(data.train_dataloader())).window_id.tolist())
    assert drawn[0] == drawn[1]
    assert drawn[0] != drawn[2]


def test_a_filter_after_a_window_transform_is_refused(store: Path) -> None:
    with pytest.raises(ValueError, match="BandPass runs over whole recordings, so it comes before Clamp"):
        data_of(store, transforms=[Clamp(5.0), BandPass(1.0, 40.0)]).setup()


def test_fixed_inputs_on_different_channels_name_the_pick_that_mends_it(tmp_path: Path) -> None:
    from data_loaders.arrays import recordings
    from data_loaders.writer import Writer

    with Writer(tmp_path) as writer:
        for subject, names in (("1", ["Cz", "Pz"]), ("2", ["Cz", "Oz"]), ("3", ["Cz", "Pz"])):
            X = np.random.default_rng(0).standard_normal((10, 2, 50))
            for one in recordings(X, ["a", "b"] * 5, sfreq=50.0, subjects=[subject] * 10, ch_names=names):
                writer.write(one)
    data = data_of(tmp_path, split=By("subject", 3))
    data.setup()
    with pytest.raises(ValueError, match=r"names: \['Cz'\]"):
        data.check_channels("fixed")
    data.check_channels("any")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch_size": 0}, "at least 1"),
        ({"fields": {}}, "name at least one"),
        ({"windows": Tile(5.0), "fields": {"signal": Field(0.0, 3.0)}}, "no segment"),
    ],
)
def test_impossible_values_name_the_repair(store: Path, changes: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        data_of(store, **changes).setup()


def test_blocks_of_time_keep_their_gap(store: Path) -> None:
    data = data_of(
        store, windows=Tile(0.25), fields={"signal": Field(0.0, 0.25)}, split=TimeBlock(4, gap=1.0, val=0.0), targets=[]
    )
    fold = data.use(1)
    train, test = fold.train.ids(), fold.test.ids()
    apart = np.abs(train[:, None] - test[None])[(train[:, None] >> 40) == (test[None] >> 40)]
    assert apart.min() >= 125  # 0.25 s of window and 1 s of gap, at 100 Hz
