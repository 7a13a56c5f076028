"""The shuffle control swaps signals within recordings, the same way at every pass, and keeps labels."""

from pathlib import Path

import numpy as np
import pytest

from data_loaders.contracts import Field, Recording, Stream
from data_loaders.datamodule import Data
from data_loaders.samplers.time_delta import TimeDelta
from data_loaders.splits import TimeBlock
from data_loaders.windows import Tile
from data_loaders.writer import Writer


@pytest.fixture
def data(tmp_path: Path) -> Data:
    with Writer(tmp_path / "store") as writer:
        for session in ("1", "2"):
            rng = np.random.default_rng(int(session))
            signal = np.stack([np.arange(600.0) + 1000 * int(session), rng.standard_normal(600)], 1)
            writer.write(
                Recording(
                    study="T", subject="1", session=session, modality="eeg", sfreq=10.0, duration=60.0, signal=signal,
                    ch_names=("a", "b"), ch_types=("eeg",) * 2, units=("V",) * 2,
                    streams={"position": Stream(np.arange(600.0) + 1000 * int(session), 10.0)},
                )
            )  # fmt: skip
    found = Data(
        str(tmp_path / "store"), Tile(0.1), {"signal": Field(0.0, 0.2)}, TimeBlock(3), ["position"],
        sampler=TimeDelta(["position"], 0.1), batch_size=64,
    )  # fmt: skip
    found.use(0)
    return found


def pairs(data: Data) -> np.ndarray:
    """The signal's first sample and the label of each test window."""
    rows = [np.stack([b.signal[:, 0, 0].numpy(), b.targets["position"][:, 0].numpy()], 1) for b in data.part("test")]
    return np.concatenate(rows)


def test_windows_and_labels_are_the_same_but_not_together(data: Data) -> None:
    real, shuffled = pairs(data), pairs(data.shuffled(5))
    assert np.array_equal(real[:, 0], real[:, 1])
    assert np.array_equal(shuffled[:, 1], real[:, 1])
    assert np.array_equal(np.sort(shuffled[:, 0]), np.sort(real[:, 0]))
    assert (shuffled[:, 0] != shuffled[:, 1]).mean() > 0.9
    assert np.array_equal(shuffled[:, 0] // 1000, real[:, 0] // 1000)


def test_the_swap_is_one_permutation_of_a_part(data: Data) -> None:
    control = data.shuffled(5)
    assert np.array_equal(pairs(control), pairs(control))
    assert not np.array_equal(pairs(control), pairs(data.shuffled(6)))
    assert np.array_equal(pairs(data)[:, 0], pairs(data)[:, 1])
    seen = {}
    for batch in [control.train_dataloader().batch(step) for step in range(6)]:
        for window, value in zip(batch.window_id.tolist(), batch.signal[:, 0, 0].tolist(), strict=True):
            assert seen.setdefault(window, value) == value


def test_the_validation_part_is_drawn_in_views_and_the_same_at_every_look(data: Data) -> None:
    one, two = ([batch.window_id.tolist() for batch in data.val_dataloader()] for _ in range(2))
    assert one == two
    assert next(iter(data.val_dataloader())).n_views == 3
