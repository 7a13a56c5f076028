"""Features beside a store: streams like any other, whole or absent, through derived and joined stores."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy import ndarray

from data_loaders.attach import attach
from data_loaders.contracts import Field, Recording, Stream
from data_loaders.datamodule import Data
from data_loaders.derived import materialise
from data_loaders.joined import joined
from data_loaders.splits.time_block import TimeBlock
from data_loaders.store import Store
from data_loaders.transforms.filters import BandPass
from data_loaders.windows import Tile
from data_loaders.writer import Writer


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Two recordings of 60 s."""
    return made(tmp_path / "store", "T")


def made(path: Path, study: str) -> Path:
    rng = np.random.default_rng(0)
    with Writer(path) as writer:
        for subject in ("01", "02"):
            writer.write(
                Recording(
                    study=study, subject=subject, modality="eeg", sfreq=50.0, duration=60.0, ch_names=("a", "b"), ch_types=("eeg",) * 2,
                    units=("V",) * 2, signal=rng.standard_normal((3000, 2)), streams={"own": Stream(np.zeros((60, 1)), 1.0)},
                )
            )  # fmt: skip
    return path


def ramp(offset: float = 0.0) -> ndarray:
    return (np.arange(60)[:, None] + [0, 100] + offset).astype(np.float32)


def read(store: Store, recording: int, name: str) -> ndarray:
    return store.stream(recording, name, 0, store.entry(recording).streams[name].shape[0])


def test_an_attached_feature_is_a_stream_and_the_recordings_stay_as_they_are(store: Path) -> None:
    before = {file: file.read_bytes() for file in store.rglob("*.h5")}
    attach(store, "gpt2.layer8", {"sub-01": Stream(ramp(), 1.0), "sub-02": Stream(ramp(1000), 1.0)}, {"model": "gpt2"})
    opened = Store(store)
    assert np.array_equal(read(opened, 1, "gpt2.layer8"), ramp(1000))
    assert read(opened, 0, "own").shape == (60, 1)
    assert {file: file.read_bytes() for file in store.rglob("*.h5")} == before


def test_a_field_names_the_feature_by_source(store: Path) -> None:
    attach(store, "words", {name: Stream(ramp(), 1.0) for name in ("sub-01", "sub-02")}, {})
    fields = {"signal": Field(0.0, 1.0), "words": Field(-4.0, 0.0, "words")}
    data = Data(str(store), Tile(1.0), fields, TimeBlock(n_folds=3, gap=5.0, val=0.4))
    data.use(0)
    batch = next(iter(data.part("test")))
    onset = data.metadata("test")["onset_s"].to_numpy()[: len(batch)]
    wanted = onset[:, None] + np.arange(-4, 0)
    assert np.allclose(batch.streams["words"].values[:, 0].numpy(), wanted)


def test_a_feature_attached_again_replaces_the_old_one_whole(store: Path) -> None:
    attach(store, "words", {"sub-01": Stream(ramp(), 1.0), "sub-02": Stream(ramp(), 1.0)}, {})
    attach(store, "other", {"sub-01": Stream(ramp(), 1.0)}, {})
    attach(store, "words", {"sub-01": Stream(ramp(7), 2.0)}, {})
    opened = Store(store)
    assert sorted(opened.entry(0).streams) == ["other", "own", "words"]
    assert sorted(opened.entry(1).streams) == ["own"]
    assert np.array_equal(read(opened, 0, "words"), ramp(7))
    assert len(list(store.glob("features/words/*.hdf5"))) == 1
    assert not list(store.rglob(".*.tmp"))


def test_a_derived_store_has_the_features_of_its_source(store: Path) -> None:
    transforms = [BandPass(l_freq=1.0, h_freq=20.0)]
    materialise(Store(store), transforms)  # made before the feature is there
    attach(store, "words", {"sub-01": Stream(ramp(), 1.0)}, {})
    assert np.array_equal(read(materialise(Store(store), transforms), 0, "words"), ramp())


def test_joined_stores_keep_their_own_features(store: Path, tmp_path: Path) -> None:
    other = made(tmp_path / "other", "U")
    attach(store, "words", {"sub-01": Stream(ramp(), 1.0)}, {})
    attach(other, "words", {"sub-02": Stream(ramp(5), 1.0)}, {})
    both = joined([Store(store), Store(other)])
    assert np.array_equal(read(both, 0, "words"), ramp())
    assert np.array_equal(read(both, 3, "words"), ramp(5))
    assert "words" not in both.entry(1).streams


def test_a_kill_before_the_catalog_leaves_the_old_features(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    attach(store, "words", {"sub-01": Stream(ramp(), 1.0)}, {})

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(pd.DataFrame, "to_parquet", killed)
    with pytest.raises(KeyboardInterrupt):
        attach(store, "words", {"sub-01": Stream(ramp(3), 1.0)}, {})
    assert np.array_equal(read(Store(store), 0, "words"), ramp())


def test_an_unknown_recording_and_a_name_that_is_taken_are_refused(store: Path) -> None:
    with pytest.raises(ValueError, match="no recording"):
        attach(store, "words", {"sub-09": Stream(ramp(), 1.0)}, {})
    with pytest.raises(ValueError, match="stream of its own called 'own'"):
        attach(store, "own", {"sub-01": Stream(ramp(), 1.0)}, {})
