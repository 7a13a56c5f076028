"""Four families of models, one stream and one grammar: none of them needs a loader of its own."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from brainfm.grammar.parts import build
from data_loaders.contracts import Batch, Recording, Spikes, Stream
from data_loaders.store import Store
from data_loaders.writer import Writer


def first_batch(recipe: str, store: Path) -> tuple[Any, Batch]:
    part = yaml.safe_load(recipe)
    part["init_args"]["store"] = str(store)
    data = build(part, "data")
    data.use(0)
    return data, next(iter(data.train_dataloader()))


@pytest.fixture
def spikes(tmp_path: Path) -> Path:
    """A session of 60 s whose position moves to and fro."""
    rng = np.random.default_rng(0)
    times = np.sort(rng.uniform(0, 60, 6000))
    position = np.sin(np.arange(6000) / 100)
    with Writer(tmp_path / "spikes") as writer:
        writer.write(
            Recording(
                study="T",
                subject="01",
                modality="spikes",
                sfreq=1000.0,
                duration=60.0,
                ch_names=tuple(f"u{i}" for i in range(20)),
                ch_types=("unit",) * 20,
                units=("",) * 20,
                spikes=Spikes(times, rng.integers(0, 20, 6000)),
                streams={"position": Stream(position, 100.0)},
            )
        )
    return tmp_path / "spikes"


def test_labelled_eeg_windows(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    Store.from_arrays(
        tmp_path, rng.standard_normal((60, 4, 100)), ["a", "b"] * 30, sfreq=100.0, subjects=np.repeat([1, 2, 3], 20)
    )
    data, batch = first_batch(
        """
        class_path: data_loaders.datamodule.Data
        init_args:
          windows: {class_path: data_loaders.windows.Around}
          fields: {signal: {start: 0.0, stop: 1.0}}
          targets: [trial_type]
          transforms: [{class_path: data_loaders.transforms.RobustScale}]
          split: {class_path: data_loaders.splits.By, init_args: {key: subject, n_folds: 3}}
          batch_size: 8
        """,
        tmp_path,
    )
    assert batch.signal.shape == (8, 4, 100)
    assert data.facts()["n_outputs"] == 2
    known = data.store.events.set_index(["recording", "onset"])["trial_type"]
    row = data.metadata("train").loc[batch.window_id.numpy()]
    wanted = [known[(int(s), t)] for s, t in zip(batch.session_id, row["onset_s"], strict=True)]
    assert [data.targets[0].classes[i] for i in batch.targets["trial_type"]] == wanted


def test_three_view_contrastive_draws_with_position_labels(spikes: Path) -> None:
    _, batch = first_batch(
        """
        class_path: data_loaders.datamodule.Data
        init_args:
          windows: {class_path: data_loaders.windows.Tile, init_args: {stride: 0.05}}
          fields: {signal: {source: spikes, start: -0.05, stop: 0.05, sfreq: 100.0}}
          targets: [position]
          sampler: {class_path: data_loaders.samplers.time_delta.TimeDelta, init_args: {labels: [position], time_offset: 0.1}}
          split: {class_path: data_loaders.splits.TimeBlock, init_args: {n_folds: 3, gap: 1.0}}
          batch_size: 32
        """,
        spikes,
    )
    reference, positive, negative = (batch.view(i) for i in range(3))
    assert batch.n_views == 3
    assert reference.signal.shape == (32, 20, 10)
    apart = [(view.targets["position"] - reference.targets["position"]).abs().mean() for view in (positive, negative)]
    assert apart[0] < 0.25 * apart[1]
    assert reference.signal.sum() == pytest.approx(32 * 10, rel=0.2)  # 6000 spikes in 60 s are ten in 0.1 s


def test_past_and_current_spike_events_with_a_behaviour_stream(spikes: Path) -> None:
    data, batch = first_batch(
        """
        class_path: data_loaders.datamodule.Data
        init_args:
          windows: {class_path: data_loaders.windows.Tile, init_args: {stride: 0.05}}
          fields:
            past: {source: spikes, start: -0.15, stop: 0.0}
            current: {source: spikes, start: 0.0, stop: 0.05}
            behaviour: {source: position, start: -0.15, stop: 0.05}
          split: {class_path: data_loaders.splits.TimeBlock, init_args: {n_folds: 3, gap: 1.0}}
          batch_size: 16
        """,
        spikes,
    )
    assert batch.signal is None
    past, current = batch.events["past"], batch.events["current"]
    assert ((past.time[past.mask] >= -0.15) & (past.time[past.mask] < 0)).all()
    assert ((current.time[current.mask] >= 0) & (current.time[current.mask] < 0.05)).all()
    anchor = data.metadata("train").loc[batch.window_id.numpy(), "onset_s"].to_numpy()
    row = int(current.mask.sum(1).argmax())
    truth = data.store.spikes(0, anchor[row], anchor[row] + 0.05)
    assert torch.equal(current.channel[row][current.mask[row]], torch.tensor(truth.channels.astype(np.int64)))
    assert batch.streams["behaviour"].values.shape == (16, 20)


def test_one_connectome_per_scan_with_demographics(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    with Writer(tmp_path) as writer:
        for subject in range(12):
            n_times = 100 + subject
            writer.write(
                Recording(
                    study="T",
                    subject=f"{subject:02d}",
                    modality="fmri",
                    sfreq=0.5,
                    duration=n_times / 0.5,
                    ch_names=("A", "B", "C", "D"),
                    ch_types=("roi",) * 4,
                    units=("",) * 4,
                    signal=rng.standard_normal((n_times, 4)),
                    demographics={"age": 20.0 + subject, "sex": "FM"[subject % 2]},
                )
            )
    data, batch = first_batch(
        """
        class_path: data_loaders.datamodule.Data
        init_args:
          windows: {class_path: data_loaders.windows.Whole}
          fields: {signal: {start: 0.0, stop: .inf}}
          transforms: [{class_path: data_loaders.transforms.connectome.Connectome}]
          targets: [age, sex]
          split: {class_path: data_loaders.splits.By, init_args: {key: subject, n_folds: 3}}
          batch_size: 4
        """,
        tmp_path,
    )
    assert batch.signal.shape == (4, 6, 1)
    assert data.facts()["n_times"] == 1
    scan = int(batch.session_id[0])
    r = np.corrcoef(data.store.signal(scan, 0, 100 + scan).T)[np.triu_indices(4, 1)]
    assert torch.allclose(batch.signal[0, :, 0], torch.tensor(np.arctanh(r), dtype=torch.float32), atol=1e-5)
    assert batch.targets["age"][:, 0].tolist() == [20.0 + int(s) for s in batch.session_id]
    assert batch.targets["sex"].tolist() == [int(s) % 2 for s in batch.session_id]


def test_no_target_is_needed_to_stream(spikes: Path) -> None:
    events = pd.read_parquet(spikes / "events.parquet")
    assert events.empty
