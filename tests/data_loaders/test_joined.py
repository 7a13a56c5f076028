"""Joined stores read as one: the same bytes, names that are unique, one catalog."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data_loaders.contracts import Field, Recording, Stream
from data_loaders.datamodule import Data
from data_loaders.joined import joined
from data_loaders.leakage import check_pretrained, trained_on
from data_loaders.samplers.balanced import Balanced
from data_loaders.splits.time_block import TimeBlock
from data_loaders.store import Store
from data_loaders.windows import Tile
from data_loaders.writer import Writer


def recording(study: str, subject: str, n_chans: int, sfreq: float, seed: int = 0) -> Recording:
    rng = np.random.default_rng(seed)
    names = tuple(f"{study}{i}" for i in range(n_chans))
    events = pd.DataFrame({"onset": [1.0], "duration": [0.5], study: ["x"]})
    return Recording(
        study=study, subject=subject, modality="eeg", sfreq=sfreq, ch_names=names, ch_types=("eeg",) * n_chans, duration=20.0,
        units=("V",) * n_chans, signal=rng.standard_normal((round(20 * sfreq), n_chans)), events=events,
        streams={"gaze": Stream(rng.standard_normal(200), 10.0)},
    )  # fmt: skip


@pytest.fixture
def stores(tmp_path: Path) -> list[Store]:
    """Two studies that both have a subject 01, with other channels and another rate."""
    for study, n_chans, sfreq in (("a", 2, 100.0), ("b", 3, 250.0)):
        with Writer(tmp_path / study) as writer:
            for seed, subject in enumerate(("01", "02")):
                writer.write(recording(study, subject, n_chans, sfreq, seed + 10 * n_chans))
    return [Store(tmp_path / study) for study in "ab"]


def test_every_recording_is_that_of_its_store(stores: list[Store]) -> None:
    one = joined(stores)
    for index, (store, local) in enumerate((store, i) for store in stores for i in range(2)):
        np.testing.assert_array_equal(one.signal(index, 30, 80), store.signal(local, 30, 80))
        np.testing.assert_array_equal(one.stream(index, "gaze", 3, 9), store.stream(local, "gaze", 3, 9))
        assert one.entry(index).sha256 == store.entry(local).sha256
        own = store.events_of(local)
        assert one.events_of(index).dropna(axis=1)[list(own)].equals(own)


def test_people_of_two_studies_are_never_one(stores: list[Store]) -> None:
    assert list(joined(stores).catalog["subject"]) == ["a/01", "a/02", "b/01", "b/02"]
    assert joined(stores).entry(2).entities["subject"] == "b/01"


def test_one_store_is_itself(stores: list[Store]) -> None:
    assert joined(stores[:1]) is stores[0]


def test_a_recipe_streams_both_in_equal_shares(stores: list[Store]) -> None:
    data = Data(
        [str(store.path) for store in stores], Tile(0.5), {"signal": Field(0.0, 1.0)}, TimeBlock(n_folds=2, val=0.3),
        sampler=Balanced("study"), batch_size=32,
    )  # fmt: skip
    data.use(0)
    batch = next(iter(data.train_dataloader()))
    assert batch.signal is not None
    assert batch.signal.shape == (32, 3, 250)
    assert sorted(set(batch.sfreq.tolist())) == [100.0, 250.0]
    assert 8 <= int((batch.sfreq == 100).sum()) <= 24
    assert int(batch.time_mask[batch.sfreq == 100].sum(1).unique()) == 100
    assert int(batch.ch_mask[batch.sfreq == 100].sum(1).unique()) == 2


def test_what_was_pretrained_on_is_known_again_in_a_single_store(stores: list[Store]) -> None:
    whole = Data([str(s.path) for s in stores], Tile(0.5), {"signal": Field(0.0, 1.0)}, TimeBlock(n_folds=2, val=0.3))
    whole.setup()
    remembered = trained_on(whole.windows, whole.store)
    assert remembered["subjects"] == ["a/01", "a/02", "b/01", "b/02"]
    alone = Data(str(stores[1].path), Tile(0.5), {"signal": Field(0.0, 1.0)}, TimeBlock(n_folds=2, val=0.3))
    with pytest.raises(ValueError, match="trained on the recording"):
        check_pretrained(remembered, alone.use(0), alone.split, alone.store)


def test_no_store_at_all_is_refused() -> None:
    with pytest.raises(ValueError, match="stores/NAME"):
        Data([], Tile(0.5), {"signal": Field(0.0, 1.0)}, TimeBlock())
