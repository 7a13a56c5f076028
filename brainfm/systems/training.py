"""Training: how long, how often to look at the validation part, and on what machine; a recipe's `trainer`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Training:
    """`accelerator`, `devices`, `num_nodes`, `strategy`, `precision`, `gradient_clip_val`, `accumulate_grad_batches` and
    `limit_train_batches` are those of `lightning.Trainer`.

    `max_steps` counts steps of the optimizer. A batch of `data.batch_size` windows is shared by all devices, and
    `accumulate_grad_batches` of them make a step. `limit_train_batches` ends Lightning's epochs early; the order of
    windows goes on in the next.

    `val_every` (steps) is a twentieth of `max_steps` where left out. The weights with the best `monitor` are kept; a name
    with "accuracy", "auroc", "r2" or "pearson" in it is better when higher. `save_every` (seconds) is how much work a
    killed run may lose.
    """

    max_steps: int = 1000
    val_every: int | None = None
    monitor: str = "val/loss"
    save_every: float = 20.0
    accelerator: str = "auto"
    devices: int | str = 1
    precision: str = "32-true"
    gradient_clip_val: float | None = None
    num_nodes: int = 1
    strategy: str = "auto"
    accumulate_grad_batches: int = 1
    limit_train_batches: int | float | None = None

    def __post_init__(self) -> None:
        if self.max_steps < 1:
            raise ValueError(
                f"trainer.max_steps is {self.max_steps}, expected at least 1: state how many steps to train for"
            )
        if self.val_every is not None and self.val_every < 1:
            raise ValueError(
                f"trainer.val_every is {self.val_every}, expected a number of steps, at least 1, or nothing"
            )
        if self.accumulate_grad_batches < 1:
            raise ValueError(
                f"trainer.accumulate_grad_batches is {self.accumulate_grad_batches}, expected at least 1: 1 is none"
            )
        limit, of = self.limit_train_batches, self.accumulate_grad_batches
        if limit is not None and (limit if isinstance(limit, int) else int(limit * self.n_batches)) % of:
            raise ValueError(
                f"trainer.limit_train_batches is {limit}, which is no whole number of steps of accumulate_grad_batches {of}: "
                "the last step of every epoch would be of fewer batches; take a multiple"
            )
        # "test/" is left to the leakage guard, which says why not
        if not self.monitor.startswith(("val/", "test/")):
            raise ValueError(
                f"trainer.monitor is {self.monitor!r}, expected a number of the validation part: write val/loss"
            )

    @property
    def validate_every(self) -> int:
        """Steps between two looks at the validation part."""
        return min(self.val_every or max(1, self.max_steps // 20), self.max_steps)

    @property
    def n_batches(self) -> int:
        """Batches that all steps take."""
        return self.max_steps * self.accumulate_grad_batches
