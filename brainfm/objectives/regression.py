"""Regression: mean squared error of a linear head on the pooled tokens, in units of the training targets' spread."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from brainfm.encoders.base import Encoder
from brainfm.objectives.base import Objective, take_target
from data_loaders.contracts import Batch


class Regression(Objective):
    """Values of one or several dimensions per window.

    The loss is taken after each dimension has lost its mean and been divided by its standard deviation over the
    training part, `target_mean` and `target_std`, so that no dimension outweighs another; predictions are in the
    target's own unit. Left out, targets are taken as they are.
    """

    target_mean: Tensor
    target_std: Tensor

    def __init__(
        self,
        encoder: Encoder,
        n_outputs: int,
        target: str | None = None,
        target_mean: Sequence[float] | None = None,
        target_std: Sequence[float] | None = None,
    ) -> None:
        super().__init__(encoder)
        self.target = target
        self.head = nn.Linear(encoder.dim, n_outputs)
        self.register_buffer("target_mean", _per_output(target_mean, 0.0, n_outputs, "target_mean"))
        std = _per_output(target_std, 1.0, n_outputs, "target_std")
        # a dimension that never changes in training is predicted at its mean
        self.register_buffer("target_std", torch.where(std > 0, std, torch.ones_like(std)))

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        truth = take_target(batch, self.target).reshape(len(batch), -1)
        if truth.shape[1] != self.head.out_features:
            raise ValueError(
                f"the target has {truth.shape[1]} dimensions and the head {self.head.out_features}: set n_outputs to {truth.shape[1]}"
            )
        standardised = (truth - self.target_mean) / self.target_std
        return {"loss": F.mse_loss(self._standardised(batch), standardised.to(self.head.weight.dtype))}

    def predict(self, batch: Batch) -> dict[str, Tensor]:
        values = self._standardised(batch) * self.target_std + self.target_mean
        return {self.target or next(iter(batch.targets), "target"): values}

    def _standardised(self, batch: Batch) -> Tensor:
        return self.head(self.encoder(batch).pooled())


def _per_output(stated: Sequence[float] | None, default: float, n_outputs: int, name: str) -> Tensor:
    """One number per output dimension."""
    if stated is None:
        return torch.full((n_outputs,), default)
    values = torch.as_tensor(stated, dtype=torch.float32).reshape(-1)
    if len(values) != n_outputs:
        raise ValueError(f"{name} has {len(values)} numbers, the target has {n_outputs} dimensions: give one for each")
    return values
