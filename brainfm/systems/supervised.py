"""Supervised training: an objective with its optimizer and scheduler, as the LightningModule that a Trainer runs."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from brainfm.objectives.base import Objective
from data_loaders.contracts import Batch

Part = Mapping[str, Any] | Callable[..., Any]


class Supervised(LightningModule):
    """Minimises `objective.loss`; all that it returns is known as train/<name> and val/<name>.

    `optimizer` and `scheduler` are `{class_path, init_args}` or factories; the scheduler moves at every step. Each step
    seeds torch anew from (seed, step), so that a resumed run drops out the same units as one that was never cut.
    """

    def __init__(self, objective: Objective, optimizer: Part, scheduler: Part | None = None, seed: int = 0) -> None:
        super().__init__()
        self.objective, self.optimizer, self.scheduler, self.seed = objective, optimizer, scheduler, seed
        self._sums: dict[str, Any] = {}  # of a look at the validation part, by row
        self._n_rows = 0

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        # batches whose gradients are summed into one step drop out different units
        within = batch_idx % self.trainer.accumulate_grad_batches
        torch.manual_seed(keyed_seed(self.seed, self.global_step, self.global_rank, *([within] if within else [])))

    def training_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        losses = self.objective.loss(batch)
        # Lightning's log costs milliseconds a step; what a step returns reaches history.csv without it
        if self.trainer.loggers:
            named = {f"train/{name}": value.detach() for name, value in losses.items()}
            self.log_dict(named, batch_size=len(batch), on_step=True, on_epoch=False)
        return losses

    def on_validation_epoch_start(self) -> None:
        self._sums, self._n_rows = {}, 0

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        for name, value in self.objective.loss(batch).items():
            self._sums[name] = self._sums.get(name, 0.0) + value.detach().float() * len(batch)
        self._n_rows += len(batch)

    def on_validation_epoch_end(self) -> None:
        # Lightning's own mean divides the number of rows by that of ranks and drops the rest, so uneven parts come out wrong
        own = torch.stack([*self._sums.values(), torch.tensor(float(self._n_rows), device=self.device)])
        *sums, n_rows = self.trainer.strategy.reduce(own, reduce_op="sum")
        means = {f"val/{name}": value / n_rows for name, value in zip(self._sums, sums, strict=True)}
        self.log_dict(means, batch_size=1, sync_dist=True)

    def configure_optimizers(self) -> Any:
        optimizer = build_optimizer(self.optimizer, self.objective)
        if self.scheduler is None:
            return optimizer
        # Trainer.estimated_stepping_batches would build the loaders here, and a resume would then lose their place
        scheduler = build_scheduler(self.scheduler, optimizer, self.trainer.max_steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}


def keyed_seed(*key: int) -> int:
    """A seed for torch from whole numbers; neighbouring keys give unrelated seeds.

    >>> keyed_seed(0, 1) == keyed_seed(0, 1), keyed_seed(0, 1) == keyed_seed(1, 0)
    (True, False)
    """
    return int(np.random.SeedSequence([abs(part) for part in key]).generate_state(1)[0])


def build_optimizer(part: Part, objective: nn.Module) -> Optimizer:
    """The optimizer over every parameter that learns."""
    parameters = [parameter for parameter in objective.parameters() if parameter.requires_grad]
    if not parameters:
        raise ValueError(
            f"{type(objective).__name__} has no parameter that learns: unfreeze its encoder or give it a head"
        )
    return _called(part, parameters, {})


def build_scheduler(part: Part, optimizer: Optimizer, max_steps: int) -> LRScheduler:
    """The scheduler; `total_steps`, `T_max` and `max_lr` come from the trainer and the optimizer where a recipe leaves them out."""
    known = {"total_steps": max_steps, "T_max": max_steps, "max_lr": optimizer.defaults.get("lr")}
    scheduler = _called(part, optimizer, known)
    if not isinstance(scheduler, LRScheduler) or "metrics" in inspect.signature(scheduler.step).parameters:
        raise ValueError(
            f"scheduler {type(scheduler).__name__} waits for a metric; schedulers move at every step: take CosineAnnealingLR"
        )
    return scheduler


def _called(part: Part, first: Any, known: Mapping[str, Any]) -> Any:
    """Calls a factory, or the class that a recipe names, with its own arguments before those known to fit."""
    if not isinstance(part, Mapping):
        make, given = part, {}
    else:
        module, _, name = part["class_path"].rpartition(".")
        make, given = getattr(import_module(module), name), dict(part.get("init_args") or {})
    taken = inspect.signature(make).parameters
    return make(first, **{name: value for name, value in known.items() if name in taken} | given)
