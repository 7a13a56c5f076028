"""What training keeps: the curve, the best weights, and a last.ckpt from which a killed run goes on exactly."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.plugins import CheckpointIO
from torch import Tensor, nn

from brainfm.files import written

_HIGHER_IS_BETTER = ("accuracy", "auroc", "auc", "f1", "kappa", "r2", "pearson", "corr")


class AtomicCheckpoints(CheckpointIO):
    """A checkpoint takes its name when it is whole; it is read with `weights_only=True`, so it can carry no code."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        with written(Path(path)) as part:
            torch.save(checkpoint, part)

    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: bool | None = True) -> dict[str, Any]:
        return torch.load(path, map_location=map_location or "cpu", weights_only=True)

    def remove_checkpoint(self, path: Any) -> None:
        Path(path).unlink(missing_ok=True)


class History(Callback):
    """Writes history.csv: one row per look at the validation part, the training losses averaged since the last one."""

    def __init__(self, path: Path, every: int) -> None:
        self.path, self.every = path, every
        self.rows: list[dict[str, float]] = []
        self.sums: dict[str, Tensor] = {}
        self.count, self.rate = 0, math.nan

    def state_dict(self) -> dict[str, Any]:
        return {"rows": self.rows, "sums": self.sums, "count": self.count}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.rows, self.sums, self.count = state_dict["rows"], state_dict["sums"], state_dict["count"]

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        self.rate = float(trainer.optimizers[0].param_groups[0]["lr"])

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        # summed on the device: reading a loss at every step would make the accelerator wait
        for name, value in outputs.items():
            # Lightning has divided what is minimised, and nothing else, by the batches that make a step
            whole = value.detach() * (trainer.accumulate_grad_batches if name == "loss" else 1)
            self.sums[name] = whole + self.sums.get(name, torch.zeros_like(value)).to(value.device)
        self.count += 1
        if trainer.limit_val_batches == 0 and _stepped(trainer, batch_idx) and trainer.global_step % self.every == 0:
            self._row(trainer)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._row(trainer)

    def _row(self, trainer: Trainer) -> None:
        # the mean over all devices: each has seen its own part of the batches
        sums = {name: trainer.strategy.reduce(total, reduce_op="mean") for name, total in self.sums.items()}
        train = {f"train/{name}": float(total) / max(1, self.count) for name, total in sums.items()}
        val = {name: float(value) for name, value in trainer.callback_metrics.items() if name.startswith("val/")}
        lost = [name for name, value in (train | val).items() if not math.isfinite(value)]
        if lost:
            raise ValueError(
                f"{lost[0]} is not finite at step {trainer.global_step}: lower optimizer.init_args.lr, or set trainer.gradient_clip_val"
            )
        self.rows.append({"step": trainer.global_step, **train, **val, "lr": self.rate})
        self.sums, self.count = {}, 0
        if trainer.is_global_zero:
            with written(self.path) as part:
                pd.DataFrame(self.rows).to_csv(part, index=False)


class BestWeights(Callback):
    """Keeps the weights of the step with the best monitored value; they travel in last.ckpt, so a resume cannot mix two runs."""

    def __init__(self, monitor: str) -> None:
        self.monitor, self.sign = monitor, (1 if any(word in monitor for word in _HIGHER_IS_BETTER) else -1)
        self.value: float | None = None
        self.step, self.weights = 0, {}

    def state_dict(self) -> dict[str, Any]:
        return {"value": self.value, "step": self.step, "weights": self.weights}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.value, self.step, self.weights = state_dict["value"], state_dict["step"], state_dict["weights"]

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        value = self._monitored(trainer.callback_metrics)
        if self.value is None or self.sign * value > self.sign * self.value:
            self.value, self.step, self.weights = (
                value,
                trainer.global_step,
                _copied(pl_module.get_submodule("objective")),
            )

    def restore(self, objective: nn.Module) -> int:
        """Puts the best weights back and returns their step; without a validation part the last ones stay."""
        if self.weights:
            objective.load_state_dict(self.weights)
        return self.step

    def _monitored(self, logged: Mapping[str, Tensor]) -> float:
        if self.monitor not in logged:
            known = sorted(name for name in logged if name.startswith("val/"))
            raise ValueError(f"trainer.monitor is {self.monitor!r} but the objective logs {known}: name one of these")
        return float(logged[self.monitor])


class LastCheckpoint(Callback):
    """Saves the state of training every few seconds, between two steps or after a look at the validation part."""

    def __init__(self, path: Path, seconds: float, val_every: int) -> None:
        self.path, self.seconds, self.val_every = path, seconds, val_every
        self.saved = time.monotonic()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        # in the middle of a step, summed gradients would be lost; where validation follows, the save waits for it: a resume
        # would skip it
        if _stepped(trainer, batch_idx) and (trainer.limit_val_batches == 0 or trainer.global_step % self.val_every):
            self._save(trainer)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._save(trainer)

    def _save(self, trainer: Trainer) -> None:
        due = time.monotonic() - self.saved >= self.seconds
        # clocks differ, and a checkpoint is saved by all devices or none
        if trainer.strategy.reduce_boolean_decision(due, all=False):
            trainer.save_checkpoint(self.path)
            self.saved = time.monotonic()


def _stepped(trainer: Trainer, batch_idx: int) -> bool:
    """True where the optimizer has just moved."""
    return (batch_idx + 1) % trainer.accumulate_grad_batches == 0


def _copied(module: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().to("cpu", copy=True) for name, value in module.state_dict().items()}
