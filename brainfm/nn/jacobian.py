"""Jacobians of embeddings: how each dimension answers to each unit and sample, and maps of attribution made of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

Embed = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Attribution:
    """Which units an embedding listens to: the mean size of the Jacobian, and of its pseudo-inverse.

    The pseudo-inverse answers which units move when the embedding does, and tells a unit that merely follows others from
    one that carries the latent. Both are summed over the samples of a window.
    """

    forward: Float[Tensor, "dim channel"]
    inverse: Float[Tensor, "dim channel"]


def jacobian(
    embed: Embed, signal: Float[Tensor, "batch channel time"], create_graph: bool = False
) -> Float[Tensor, "batch dim channel time"]:
    """The derivative of each row's embedding `[batch, dim]` by that row's signal.

    Rows must not depend on each other (no batch norm in training).
    """
    signal = signal.detach().requires_grad_(True)
    features = embed(signal)
    rows = [
        torch.autograd.grad(feature.sum(), signal, create_graph=create_graph, retain_graph=True)[0]
        for feature in features.unbind(1)
    ]
    return torch.stack(rows, dim=1)


def attribution(embed: Embed, signal: Float[Tensor, "batch channel time"]) -> Attribution:
    """The maps of an embedding over these windows.

    Reference: Schneider et al. 2025 (xCEBRA), https://arxiv.org/abs/2502.12977, section 3.
    """
    found = jacobian(embed, signal).detach().sum(3)  # [batch, dim, channel]
    inverse = torch.linalg.pinv(found).mT  # [batch, dim, channel]
    return Attribution(found.abs().mean(0), inverse.abs().mean(0))
