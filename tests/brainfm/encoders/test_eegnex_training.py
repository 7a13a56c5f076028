"""EEGNeX learns two sinusoids in twenty steps, the same way every time."""

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from brainfm.encoders.eegnex import EEGNeX
from brainfm.objectives.classification import Classification
from data_loaders.contracts import Batch

AsBatch = Callable[..., Batch]
CURVE = Path(__file__).parent / "golden" / "eegnex_sinusoids.json"


def sinusoids(as_batch: AsBatch) -> Batch:
    """64 windows of 4 channels, 1 s at 128 Hz: 8 Hz or 20 Hz at any phase, in noise."""
    generator = torch.Generator().manual_seed(3)
    truth = torch.arange(64) % 2
    frequency = torch.where(truth == 0, 8.0, 20.0)[:, None, None]
    phase = 2 * math.pi * torch.rand(64, 4, 1, generator=generator)
    clean = torch.sin(2 * math.pi * frequency * torch.arange(128) / 128 + phase)
    return as_batch(clean + 0.5 * torch.randn(64, 4, 128, generator=generator), tone=truth)


def trained(batch: Batch) -> tuple[list[float], float]:
    """The loss of each of twenty steps, and the accuracy on the training windows afterwards."""
    torch.manual_seed(0)
    objective = Classification(EEGNeX(4, 128, drop_prob=0.0), 2, "tone", max_norm=0.25)
    optimizer, losses = torch.optim.Adam(objective.parameters(), lr=1e-2), []
    for _ in range(20):
        optimizer.zero_grad()
        loss = objective.loss(batch)["loss"]
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses, objective.eval().loss(batch)["accuracy"].item()


def test_twenty_steps_learn_the_training_windows_along_the_recorded_curve(as_batch: AsBatch) -> None:
    losses, accuracy = trained(sinusoids(as_batch))
    assert accuracy > 0.95
    # other processors round differently, and twenty steps let it grow
    assert losses == pytest.approx(json.loads(CURVE.read_text()), abs=0.01)


def test_the_same_seed_gives_the_same_losses_to_the_bit(as_batch: AsBatch) -> None:
    batch = sinusoids(as_batch)
    assert trained(batch) == trained(batch)
