"""A network that stimulus and behaviour drive: a trained model needs both inputs, and the right ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from brainfm.encoders.neuroformer import Neuroformer
from brainfm.nn.projectors import Values
from brainfm.objectives.spike_prediction import SpikePrediction
from brainfm.statistics.spike_likelihood import log_likelihood
from data_loaders.contracts import Batch, Field
from data_loaders.datamodule import Data
from data_loaders.splits import TimeBlock
from data_loaders.studies.spiking_network import driven, random_network, simulate
from data_loaders.windows import Tile
from data_loaders.writer import Writer

N_UNITS, WINDOW, STEPS = 20, 0.04, 500
INPUTS = ("stimulus", "behaviour")


def recorded(folder: Path) -> Data:
    network = driven(random_network(N_UNITS, share=0.05), n_stimulus=2, n_behaviour=1, gain=0.6)
    with Writer(folder) as writer:
        writer.write(simulate(network, seconds=10.0, trials=40))
    fields = {"past": Field(-WINDOW, 0.0, "spikes"), "current": Field(0.0, WINDOW, "spikes")}
    fields |= {name: Field(0.0, WINDOW, name) for name in INPUTS}
    data = Data(str(folder), Tile(stride=WINDOW), fields, TimeBlock(n_folds=5, gap=1.0), batch_size=128)
    data.use(0, 0)
    return data


def trained(data: Data) -> SpikePrediction:
    torch.manual_seed(0)
    inputs = {"stimulus": Values(2, dim=32, layers=1), "behaviour": Values(1, dim=32, layers=1)}
    sizes = {"dim": 32, "n_heads": 4, "state_layers": 1, "history_layers": 1, "block": 48, "past_block": 48}
    encoder = Neuroformer(
        [N_UNITS], past_seconds=WINDOW, current_seconds=WINDOW, modalities=inputs, dropout=0.0, unit_std=0.3, **sizes
    )
    model = SpikePrediction(encoder, [N_UNITS])
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=STEPS)
    for _, batch in zip(range(STEPS), data.train_dataloader(), strict=False):
        optimizer.zero_grad()
        model.loss(batch)["loss"].backward()
        optimizer.step()
        schedule.step()
    return model.eval()


def without(*names: str) -> Callable[[Batch], Batch]:
    return lambda batch: replace(batch, streams={k: v for k, v in batch.streams.items() if k not in names})


def shuffled(*names: str) -> Callable[[Batch], Batch]:
    """Windows get the input of other windows."""

    def turned(batch: Batch) -> Batch:
        order = torch.randperm(len(batch), generator=torch.Generator().manual_seed(0))
        moved = {name: replace(field, values=field.values[order]) for name, field in batch.streams.items()}
        return replace(batch, streams={**batch.streams, **{name: moved[name] for name in names}})

    return turned


@torch.no_grad()
def bits(model: SpikePrediction, data: Data, change: Callable[[Batch], Batch]) -> float:
    """Bits per spike above every unit's mean rate in the test part."""
    rates, counts = [], []
    for batch in data.part("test"):
        rates.append(model.predict(change(batch))["spikes"].unflatten(1, (N_UNITS, -1)).double().numpy())
        counts.append(model.vocabulary.decode(model.encoder.read(batch)).double().numpy())
    rate, count = np.concatenate(rates), np.concatenate(counts)
    null = np.broadcast_to(count.mean((0, 2), keepdims=True), count.shape)
    gain = log_likelihood(count, rate).sum() - log_likelihood(count, null).sum()
    return float(gain / np.log(2) / count.sum())


@pytest.mark.slow
def test_either_input_counts_and_shuffled_is_worth_nothing(tmp_path) -> None:
    """`pytest -s -m slow tests/brainfm/generate/test_driven_network.py`"""
    data = recorded(tmp_path / "store")
    model = trained(data)
    changes = {"as recorded": lambda batch: batch}
    for names in (*((name,) for name in INPUTS), INPUTS):
        changes |= {f"without {' and '.join(names)}": without(*names)}
        changes |= {f"shuffled {' and '.join(names)}": shuffled(*names)}
    found = {name: bits(model, data, change) for name, change in changes.items()}
    print("\n" + "\n".join(f"{name:32s} {value:6.3f} bits per spike" for name, value in found.items()))
    whole = found["as recorded"]
    assert whole > 0.1
    for name in INPUTS:
        assert abs(found[f"without {name}"] - whole) > 0.05
        assert found[f"shuffled {name}"] < whole - 0.05
    assert found["shuffled stimulus and behaviour"] < 0.1 * whole
    batch = next(iter(data.part("test")))
    with torch.no_grad():
        one, *others = (model.predict(change(batch))["spikes"] for change in changes.values())
    assert all((one - other).abs().mean() > 0.05 * one.mean() for other in others)
