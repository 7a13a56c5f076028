"""Losses do not depend on the number of processes: two find those of one, and their gradients, whatever a loss is a mean over."""

import os
from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.multiprocessing as mp
from torch import Tensor

from brainfm.encoders.linear import Linear
from brainfm.encoders.neuroformer import Neuroformer
from brainfm.nn.frames import Video
from brainfm.nn.ranks import apart
from brainfm.objectives.base import Objective
from brainfm.objectives.classification import Classification
from brainfm.objectives.infonce import InfoNCE
from brainfm.objectives.spike_prediction import SpikePrediction
from data_loaders.contracts import Batch

N = 6
EVEN, UNEVEN = (slice(0, 3), slice(3, 6)), (slice(0, 2), slice(2, 6))


def rows(value: Any, index: Tensor) -> Any:
    """Some rows of a batch, and of all that it holds."""
    if isinstance(value, Tensor):
        return value[index]
    if isinstance(value, dict):
        return {name: rows(part, index) for name, part in value.items()}
    if is_dataclass(value):
        return replace(value, **{field.name: rows(getattr(value, field.name), index) for field in fields(value)})
    return value


def part_of(batch: Batch, items: slice) -> Batch:
    """Of every view the same items."""
    return rows(batch, torch.arange(len(batch)).reshape(batch.n_views, -1)[:, items].flatten())


def gradient_of(objective: Objective, batch: Batch) -> Tensor:
    loss = objective.loss(batch)["loss"]
    weights = [weight for weight in objective.parameters() if weight.requires_grad]
    found = torch.autograd.grad(loss, weights, allow_unused=True, materialize_grads=True)
    return torch.cat([gradient.flatten() for gradient in found])


@torch.no_grad()
def losses_of(objective: Objective, batch: Batch) -> dict[str, Tensor]:
    return objective.loss(batch)


def one_rank(rank: int, folder: str) -> None:
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "GLOO_SOCKET_IFNAME": "lo"}
    # a rank that waits for one that will not come is an error, and soon
    here = {"init_method": f"file://{folder}/store", "rank": rank, "world_size": 2, "timeout": timedelta(seconds=60)}
    torch.distributed.init_process_group("gloo", **here)
    found = {}
    for name, (objective, batch) in torch.load(f"{folder}/made.pt", weights_only=False).items():
        gradient = gradient_of(objective, part_of(batch, EVEN[rank]))
        # what DistributedDataParallel does
        torch.distributed.all_reduce(gradient)
        found[name] = [losses_of(objective, part_of(batch, UNEVEN[rank])), gradient / 2]
        if rank == 0:
            with apart():
                found[name].append(losses_of(objective, batch))
    torch.save(found, f"{folder}/{rank}.pt")
    torch.distributed.destroy_process_group()


@pytest.fixture
def made(as_batch: Callable[..., Batch], spikes: SimpleNamespace) -> dict[str, tuple[Objective, Batch]]:
    """Objectives that weigh their rows, or compare them with all others, each with a batch."""
    torch.manual_seed(0)
    labelled = as_batch(torch.randn(N, 2, 8), side=torch.tensor([0, 0, 1, 0, 0, 0]))
    views = replace(as_batch(torch.randn(3 * N, 2, 8)), n_views=3)
    fired = spikes.random(0, N, 9, -0.15, 0.0), spikes.random(1, N, 9, 0.0, 0.05)
    seen = spikes.batch(*fired, frames=spikes.stream(torch.randn(N, 6, 9, 2)))
    sizes = {"dim": 16, "n_heads": 2, "state_layers": 1, "history_layers": 1, "block": 12, "past_block": 40}
    reader = Neuroformer([9], **sizes, modalities={"frames": Video((1, 3, 3), dim=16, layers=1, self_layers=1)})
    spiking = SpikePrediction(reader, [9], rate_weight=0.5, align=["frames"], align_weight=1.0)
    objectives = {
        "weighted": (Classification(Linear(2, 8, 4), 2, class_weights=[1.0, 4.0]), labelled),
        "contrastive": (InfoNCE(Linear(2, 8, 4), dim=3), views),
        "spikes": (spiking, seen),
    }
    return {name: (objective.eval(), batch) for name, (objective, batch) in objectives.items()}


def test_two_ranks_find_the_losses_and_gradients_of_one(
    made: dict[str, tuple[Objective, Batch]], tmp_path: Path
) -> None:
    torch.save(made, tmp_path / "made.pt")
    # a fork of a process whose threads have computed can hang
    mp.start_processes(one_rank, (str(tmp_path),), nprocs=2, start_method="spawn")
    zero, one = (torch.load(tmp_path / f"{rank}.pt") for rank in (0, 1))
    for name, (objective, batch) in made.items():
        whole, gradient = losses_of(objective, batch), gradient_of(objective, batch)
        shares = [part.stop - part.start for part in UNEVEN]
        for loss in whole:
            mean = sum(n * found[name][0][loss] for n, found in zip(shares, (zero, one), strict=True)) / N
            torch.testing.assert_close(mean, whole[loss], msg=lambda text, at=(name, loss): f"{at}: {text}")
        for found in (zero, one):
            torch.testing.assert_close(found[name][1], gradient, rtol=1e-4, atol=1e-5)
        assert zero[name][2] == whole, "one process judges alone, and nobody else answers"
