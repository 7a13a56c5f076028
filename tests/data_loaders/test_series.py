"""Series: whole segments where a part has them, and nothing of another part's windows."""

from pathlib import Path

import numpy as np
import pytest

from data_loaders.contracts import Batch, Field, Recording, Stream
from data_loaders.datamodule import Data
from data_loaders.splits import By, TimeBlock
from data_loaders.transforms import RobustScale
from data_loaders.windows import Around, Tile
from data_loaders.writer import Writer


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Two subjects; the signal counts samples, so that a batch says which it holds."""
    rng = np.random.default_rng(0)
    with Writer(tmp_path / "store") as writer:
        for subject in ("1", "2"):
            count = np.stack([np.arange(1000.0), rng.standard_normal(1000)], axis=1)
            writer.write(
                Recording(
                    study="T", subject=subject, modality="eeg", sfreq=100.0, duration=10.0, signal=count,
                    ch_names=("a", "b"), ch_types=("eeg",) * 2, units=("V",) * 2,
                    streams={"position": Stream(np.arange(500.0), 50.0)}, segments=np.array([[0.0, 4.05], [5.0, 10.0]]),
                )
            )  # fmt: skip
    return tmp_path / "store"


def series(store: Path, part: str, split: By | TimeBlock, **changes: object) -> tuple[Data, list[Batch]]:
    fields = {"signal": Field(-0.2, 0.3), "position": Field(-0.2, 0.3, "position")}
    data = Data(str(store), **{"windows": Tile(0.1), "fields": fields, "split": split, **changes})
    data.use(0)
    return data, list(data.series(part))


def samples(batch: Batch) -> list[int]:
    assert batch.signal is not None
    return [round(value) for value in batch.signal[0, 0].tolist()]


def test_a_part_with_all_windows_of_a_segment_has_the_whole_of_it(store: Path) -> None:
    data, batches = series(store, "test", By("subject", 2, val=0.0))
    assert [samples(batch) for batch in batches] == [[*range(405)], [*range(500, 1000)]]
    assert {int(batch.subject_id) for batch in batches} == {data.subjects.index("1")}
    assert [len(batch) for batch in batches] == [1, 1]


def test_streams_run_over_the_same_stretch(store: Path) -> None:
    _, (_, second) = series(store, "test", By("subject", 2, val=0.0))
    assert second.streams["position"].values[0].tolist() == [*range(250, 500)]


def test_parts_that_share_a_segment_share_no_sample_of_it(store: Path) -> None:
    split = TimeBlock(3, gap=0.5, val=0.2)
    seen = {part: series(store, part, split)[1] for part in ("train", "val", "test")}
    sets = {part: {(int(b.session_id), i) for b in batches for i in samples(b)} for part, batches in seen.items()}
    assert all(sets.values())
    assert not sets["train"] & sets["test"]
    assert not sets["train"] & sets["val"]
    assert not sets["val"] & sets["test"]


def test_every_window_of_a_part_lies_in_its_series(store: Path) -> None:
    data, batches = series(store, "train", TimeBlock(3, gap=0.5, val=0.2))
    held = {(int(batch.session_id), i) for batch in batches for i in samples(batch)}
    for batch in data.part("train"):
        rows = batch.signal[:, 0].round().long().tolist()
        assert all((int(s), i) in held for s, row in zip(batch.session_id, rows, strict=True) for i in row)


def test_a_series_goes_through_the_fitted_transforms(store: Path) -> None:
    data, (first, _) = series(store, "test", By("subject", 2, val=0.0), transforms=[RobustScale()])
    plain = np.arange(405.0, dtype=np.float32)
    scaled = first.signal[0, 0].numpy()
    assert np.corrcoef(plain, scaled)[0, 1] == pytest.approx(1.0)
    assert scaled.std() < 2 < plain.std()
    assert data.transforms[0].fitted


def test_events_far_apart_still_give_whole_segments(tmp_path: Path) -> None:
    from data_loaders.store import Store

    X = np.random.default_rng(0).standard_normal((12, 2, 100))
    Store.from_arrays(tmp_path / "s", X, ["a", "b"] * 6, sfreq=100.0, subjects=np.repeat(["1", "2"], 6))
    split = By("subject", 2, val=0.0)
    _, batches = series(tmp_path / "s", "test", split, windows=Around(), fields={"signal": Field(0.2, 0.5)})
    assert [batch.signal.shape[-1] for batch in batches] == [100] * 6
