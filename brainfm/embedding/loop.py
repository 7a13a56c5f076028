"""The loop of a contrastive fit on arrays: one batch per step, and the goodness of fit on data it has not seen."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator

import torch
from rich.progress import track
from torch.optim import Optimizer

from brainfm.embedding.draws import Draws
from brainfm.nn.contrastive import goodness_of_fit
from brainfm.objectives.base import ContrastiveObjective

_CHECK_EVERY = 100


def learn(
    objective: ContrastiveObjective, draws: Draws, optimizer: Optimizer, steps: range, title: str | None = None
) -> list[float]:
    """Takes the steps and returns the loss of each. Raises ValueError where the loss is not finite."""
    losses: list[torch.Tensor] = []
    objective.train()
    for step in _shown(steps, title):
        optimizer.zero_grad()
        loss = objective.loss(draws.batch(step))["loss"]
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
        if step % _CHECK_EVERY == 0 and not math.isfinite(float(losses[-1])):
            break
    values = torch.stack(losses).tolist() if losses else []
    lost = next((i for i, value in enumerate(values) if not math.isfinite(value)), None)
    if lost is not None:
        raise ValueError(f"the loss is not finite at step {steps[lost]}: lower learning_rate, or scale X to about 1")
    objective.eval()
    return values


def _shown(steps: range, title: str | None) -> Iterator[int]:
    return iter(steps) if title is None else iter(track(steps, title))


def bits(objective: ContrastiveObjective, draws: Draws, n_batches: int = 50) -> float:
    """The goodness of fit in bits, averaged over batches: 0 at chance, and below it for what was fitted to noise."""
    # a copy: some objectives count the steps of training
    judged = copy.deepcopy(objective).eval()
    with torch.no_grad():
        found = [_bits(judged, draws, step) for step in range(n_batches)]
    return sum(found) / len(found)


def _bits(objective: ContrastiveObjective, draws: Draws, step: int) -> float:
    batch = draws.batch(step)
    logged = objective.loss(batch)
    return float(logged.get("bits", goodness_of_fit(logged["loss"], len(batch) // batch.n_views)))
