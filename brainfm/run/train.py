"""One training: steps taken, the best weights put back, and the way back after a kill."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Trainer

from brainfm.objectives.base import Objective
from brainfm.run.folder import HISTORY, LAST
from brainfm.systems.keeping import AtomicCheckpoints, BestWeights, History, LastCheckpoint
from brainfm.systems.progress import FoldProgress
from brainfm.systems.supervised import Part, Supervised, keyed_seed
from brainfm.systems.training import Training
from data_loaders.contracts import Batch


class Steps:
    """A stream as Lightning likes it: one epoch of `n_steps` batches, so that no end of an epoch breaks it off.

    With a length, Lightning fetches no batch ahead, and the stream's state is that of the last batch trained on. It
    hides the stream's sampler, which Lightning would take for one of torch.
    """

    def __init__(self, stream: Any, n_steps: int) -> None:
        self.stream, self.n_steps = stream, n_steps

    def __len__(self) -> int:
        return self.n_steps

    def __iter__(self) -> Iterator[Batch]:
        return iter(self.stream)

    def state_dict(self) -> dict[str, Any]:
        return self.stream.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.stream.load_state_dict(state_dict)


def train(
    objective: Objective,
    stream: Any,
    val: Any | None,
    training: Training,
    optimizer: Part,
    scheduler: Part | None,
    folder: Path,
    seed: int,
    title: str | None = "training",
) -> dict[str, Any]:
    """Trains in place up to the best weights, and returns their step and the monitored value.

    Where `folder` holds the last.ckpt of a training that was cut, it continues there with the next batch; the result is
    that of an uninterrupted one. Without a `title` nothing is printed.
    """
    best = BestWeights(training.monitor)
    callbacks = [
        History(folder / HISTORY, training.validate_every), best,
        LastCheckpoint(folder / LAST, training.save_every, training.validate_every), *([FoldProgress(title)] if title else []),
    ]  # fmt: skip
    last = folder / LAST if (folder / LAST).exists() else None
    with quiet_lightning(), reproducible(seed):
        trainer = _trainer(training, callbacks, validates=val is not None, folder=folder)
        system = Supervised(objective, optimizer, scheduler, seed)
        trainer.fit(system, Steps(stream, training.n_batches), val, ckpt_path=last, weights_only=True)
    return {"step": best.restore(objective) or trainer.global_step, "monitor": training.monitor, "value": best.value}


def device_of(training: Training) -> torch.device:
    """Where predictions are made: on the accelerator that the recipe allows and the machine has."""
    cuda = training.accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available()
    return torch.device("cuda" if cuda else "cpu")


@contextmanager
def reproducible(seed: int) -> Iterator[None]:
    """Seeds torch and asks it for deterministic kernels; afterwards the caller's generators and choice are as they were.

    On a GPU, operations without a deterministic kernel stay allowed: the same seed may then differ in the last bits.
    """
    # read when CUDA starts; without it, matrix products on a GPU are not repeatable
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    before, warn_only = (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    )
    with torch.random.fork_rng():
        torch.manual_seed(keyed_seed(seed))
        torch.use_deterministic_algorithms(True, warn_only=torch.cuda.is_available())
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(before, warn_only=warn_only)


@contextmanager
def quiet_lightning() -> Iterator[None]:
    """Keeps Lightning from listing devices and advice; errors still come through."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            # Lightning 2.6 calls what torch 2.14 deprecates
            warnings.filterwarnings("ignore", message=".*LeafSpec.*", category=FutureWarning)
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _trainer(training: Training, callbacks: list[Any], validates: bool, folder: Path) -> Trainer:
    return Trainer(
        accelerator=training.accelerator,
        devices=training.devices,
        num_nodes=training.num_nodes,
        strategy=training.strategy,
        accumulate_grad_batches=training.accumulate_grad_batches,
        limit_train_batches=training.limit_train_batches,
        precision=training.precision,  # type: ignore[arg-type]
        gradient_clip_val=training.gradient_clip_val,
        max_steps=training.max_steps,
        max_epochs=-1,
        val_check_interval=training.validate_every * training.accumulate_grad_batches,
        check_val_every_n_epoch=None,
        limit_val_batches=1.0 if validates else 0,
        num_sanity_val_steps=0,
        callbacks=callbacks,
        plugins=[AtomicCheckpoints()],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        default_root_dir=folder,
    )
