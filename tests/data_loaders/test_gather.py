"""Gathering in place gives, to the last bit, what transforms give window by window."""

from pathlib import Path

import numpy as np
import pytest
import torch

from data_loaders.blocks import Blocks
from data_loaders.contracts import Field, Recording
from data_loaders.gather import Gather
from data_loaders.store import Store
from data_loaders.transforms.base import Example
from data_loaders.transforms.pointwise import Clamp, ScaleByType
from data_loaders.transforms.scale import RobustScale
from data_loaders.windows import Tile, Windows
from data_loaders.writer import Writer

FIELD = {"signal": Field(0.0, 0.7)}


@pytest.fixture(params=["float32", "int16"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    rng, gain, offset = np.random.default_rng(0), np.array([1e-7, 2e-7, 5e-8]), np.array([0.0, 1e-5, -3e-6])
    with Writer(tmp_path) as writer:
        for subject in ("01", "02"):
            signal = rng.integers(-3000, 3000, (2000, 3)) * gain + offset
            scale = {"gain": gain, "offset": offset} if request.param == "int16" else {}
            writer.write(
                Recording(
                    study="T", subject=subject, modality="eeg", sfreq=100.0, ch_names=("a", "b", "c"), bads=("b",),
                    ch_types=("eeg", "eeg", "eog"), duration=20.0, signal=signal, **scale,
                )
            )  # fmt: skip
    made = Store(tmp_path)
    assert made.entry(0).extents["signal"].dtype == {"float32": "<f4", "int16": "<i2"}[request.param]
    return made


def test_channelwise_transforms_in_place_equal_their_steps(store: Store) -> None:
    windows = Tile(0.1).cut(store, (0.0, 0.7))
    plain = Gather(store, windows, FIELD, [], [], ["01", "02"])
    examples = [Example(plain.infos(0)[0], plain.windows_of(0, np.array([at]))[0].T) for at in (0, 500)]
    chain = [
        ScaleByType(),
        RobustScale().fit([Example(e.info, e.signal * np.float32(1e5)) for e in examples]),
        Clamp(1.5),
    ]
    gather, positions = Gather(store, windows, FIELD, chain, [], ["01", "02"]), np.array([[5, 300, 17, 18, 301, 6]])
    batch = gather(positions)
    run, anchor = windows.locate(positions[0])
    for row, (recording, at) in enumerate(zip(windows.recording[run], anchor, strict=True)):
        expected = gather.windows_of(int(recording), at[None])[0]
        assert np.array_equal(batch.signal[row].T.numpy(), expected)
    assert batch.signal[:, 1].abs().max() == 0


def test_neighbours_that_are_read_at_once_are_the_same_windows(store: Store) -> None:
    windows = Tile(0.7).cut(store, (0.0, 0.7))
    gather = Gather(store, windows, FIELD, [], [], ["01", "02"])
    together = gather(np.arange(len(windows))[None])
    alone = torch.cat([gather(np.array([[position]])).signal for position in range(len(windows))])
    assert torch.equal(together.signal, alone)


def test_a_window_that_ends_with_its_recording_is_no_longer_than_it(store: Store) -> None:
    one = np.ones(1, dtype=np.int64)
    at_end = Windows(one * 0, one * 1950, one, one, Tile(0.1).cut(store, (0.0, 0.7)).metadata[:1], (0.0, 0.7))
    batch = Gather(store, at_end, FIELD, [], [], ["01", "02"])(np.zeros((1, 1), dtype=np.int64))
    assert batch.time_mask.sum() == 50


def test_the_same_window_in_another_recording_of_the_file_is_never_read(store: Store) -> None:
    with pytest.raises(ValueError, match=r"signal has the samples \[0, 2000\), asked for \[1990, 2060\)"):
        store.stretch(0, "signal", 1990, 2060)


def test_a_block_is_lent_again_only_when_its_batch_is_gone() -> None:
    blocks = Blocks()
    first = blocks.take((4, 5, 6))
    held = torch.from_numpy(first).transpose(1, 2)
    address = first.ctypes.data
    del first
    assert blocks.take((4, 5, 6)).ctypes.data != address
    del held
    assert blocks.take((4, 6, 5)).ctypes.data == address
