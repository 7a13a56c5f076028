"""The bar of one fold: step, losses and time left; a line every few seconds where the output is no terminal."""

from __future__ import annotations

import time
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

_SECONDS_BETWEEN_LINES = 10.0


class FoldProgress(Callback):
    """Shows from the first moment that training runs, and how long it will."""

    def __init__(self, title: str, console: Console | None = None) -> None:
        self.title, self.console = title, console or Console()
        self.bar: Progress | None = None  # where the output is a terminal
        self.said = self.began = 0.0
        self.first = 0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.began, self.first = time.monotonic(), trainer.global_step
        if not self.console.is_terminal:
            return self._say(trainer)
        told, losses = TextColumn("{task.description}"), TextColumn("{task.fields[losses]}")
        self.bar = Progress(
            told, BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), losses, console=self.console
        )
        self.bar.add_task(self.title, total=trainer.max_steps, completed=self.first, losses="")
        self.bar.start()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if self.bar is not None:
            self.bar.update(self.bar.task_ids[0], completed=trainer.global_step, losses=_losses(trainer))
        elif time.monotonic() - self.said > _SECONDS_BETWEEN_LINES:
            self._say(trainer)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._stop()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        self._stop()

    def _stop(self) -> None:
        if self.bar is not None:
            self.bar.stop()

    def _say(self, trainer: Trainer) -> None:
        self.said = time.monotonic()
        done, left = trainer.global_step - self.first, (trainer.max_steps or 0) - trainer.global_step
        remaining = f"{(self.said - self.began) / done * left:.0f} s left" if done else "starting"
        print(
            f"{self.title}  step {trainer.global_step}/{trainer.max_steps}  {_losses(trainer)}  {remaining}", flush=True
        )


def _losses(trainer: Trainer) -> str:
    return "  ".join(
        f"{name} {float(value):.4g}" for name, value in trainer.callback_metrics.items() if name == "val/loss"
    )
