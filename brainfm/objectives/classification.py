"""Classification: cross-entropy of a linear head on the pooled tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from brainfm.encoders.base import Encoder
from brainfm.nn.constraints import constrain
from brainfm.nn.ranks import among_ranks
from brainfm.objectives.base import Objective, take_target
from data_loaders.contracts import Batch


class Classification(Objective):
    """Which of `n_outputs` classes a window belongs to.

    `max_norm` limits the L2 norm of each class's weights (0.25 for EEGNet and EEGNeX as published). `class_weights` is
    a number per class, or `balanced`: windows of a class weigh inversely to its share of the training part, which
    `class_counts` gives. `label_smoothing` moves that share of the truth from the class to all alike.
    """

    class_weights: Tensor | None

    def __init__(
        self,
        encoder: Encoder,
        n_outputs: int,
        target: str | None = None,
        class_counts: Sequence[int] | None = None,
        class_weights: Literal["balanced"] | list[float] | None = None,
        max_norm: float | None = None,
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(encoder)
        if n_outputs < 2:
            raise ValueError(
                f"n_outputs is {n_outputs}, expected at least 2 classes: for values take objective Regression"
            )
        self.target, self.label_smoothing = target, label_smoothing
        self.head = nn.Linear(encoder.dim, n_outputs)
        if max_norm is not None:
            constrain(self.head, max_norm)
        self.register_buffer("class_weights", _weights(class_weights, class_counts, n_outputs))

    def logits(self, batch: Batch) -> Float[Tensor, "batch n_outputs"]:
        """Unnormalised log-probabilities."""
        return self.head(self.encoder(batch).pooled())

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        logits, truth = self.logits(batch), take_target(batch, self.target)
        if truth.is_floating_point():
            raise ValueError(
                "the target holds values, not classes: take objective Regression, or write target=* to make classes of them"
            )
        loss = F.cross_entropy(logits, truth, self.class_weights, label_smoothing=self.label_smoothing)
        if self.class_weights is not None:
            loss = loss * among_ranks(self.class_weights[truth].sum(), len(batch))
        return {"loss": loss, "accuracy": (logits.argmax(-1) == truth).float().mean()}

    def predict(self, batch: Batch) -> dict[str, Tensor]:
        return {self.target or next(iter(batch.targets), "target"): self.logits(batch).softmax(-1)}


def _weights(stated: str | Sequence[float] | None, counts: Sequence[int] | None, n_outputs: int) -> Tensor | None:
    """A weight per class, of mean one over the training windows; a class without any weighs as if it had one."""
    if stated is None:
        return None
    if stated == "balanced":
        if counts is None:
            raise ValueError(
                "class_weights 'balanced' needs class_counts, the training windows per class: give them, or a list of weights"
            )
        counted = torch.tensor(counts, dtype=torch.float32)
        return _checked(counted.sum() / (n_outputs * counted.clamp(min=1)), n_outputs)
    return _checked(torch.tensor(stated, dtype=torch.float32), n_outputs)


def _checked(weights: Tensor, n_outputs: int) -> Tensor:
    if len(weights) != n_outputs:
        raise ValueError(
            f"class weights or counts are given for {len(weights)} classes, the target has {n_outputs}: give one for each"
        )
    return weights
