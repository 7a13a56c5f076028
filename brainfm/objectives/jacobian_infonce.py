"""InfoNCE with a small Jacobian, so that it can be told which units an embedding listens to."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from brainfm.encoders.base import Encoder, take_signal
from brainfm.nn.contrastive import Similarity, Temperature
from brainfm.nn.jacobian import jacobian
from brainfm.objectives.base import ContrastiveObjective, told
from data_loaders.contracts import Batch


class JacobianInfoNCE(ContrastiveObjective):
    """InfoNCE plus `weight` times half the mean squared Frobenius norm of the embedding's Jacobian at the references.

    The weight is zero for the first `start` steps of training and grows over the next `ramp` to its full size. Maps of
    what each unit contributes come from `brainfm.nn.jacobian.attribution`.
    Reference: Schneider et al. 2025 (xCEBRA), https://arxiv.org/abs/2502.12977; penalty: Hoffman et al. 2019,
    https://arxiv.org/abs/1908.02729, equation 6. Patented: see the notices.
    """

    steps: Tensor

    def __init__(
        self,
        encoder: Encoder,
        weight: float = 0.1,
        start: int = 0,
        ramp: int = 1000,
        similarity: Similarity = "cosine",
        temperature: float = 1.0,
        learn_temperature: bool = False,
        min_temperature: float = 0.1,
        dim: int | None = None,
    ) -> None:
        super().__init__(encoder, similarity, Temperature(temperature, learn_temperature, min_temperature), dim)
        if weight < 0:
            raise ValueError(f"weight is {weight:g}, expected 0 or more, such as 0.1")
        self.weight, self.start, self.ramp = weight, start, ramp
        # a buffer: the schedule goes on where a killed run was cut
        self.register_buffer("steps", torch.zeros((), dtype=torch.long))

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        reference, positive, negative = self.views(batch, 3)
        found = self.contrast(reference, positive, negative)
        size = self.size(batch.view(0))
        total = found.total + self.scheduled() * size
        if self.training:
            self.steps += 1
        return {"loss": total, **told(found), "jacobian": size.detach()}

    def scheduled(self) -> Tensor:
        """The weight at this step."""
        return self.weight * ((self.steps - self.start) / max(1, self.ramp)).clamp(0, 1)

    def size(self, batch: Batch) -> Tensor:
        """Half the mean squared Frobenius norm of the Jacobian of these windows' embeddings."""
        with torch.enable_grad():
            found = jacobian(
                lambda x: self.embed(replace(batch, signal=x)), take_signal(batch), create_graph=self.training
            )
        return 0.5 * found.square().sum((1, 2, 3)).mean()
