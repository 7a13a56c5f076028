"""Contrastive learning: similarities, InfoNCE, temperatures that may learn, and negatives gathered from all ranks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.distributed as dist
from jaxtyping import Float
from torch import Tensor, nn

Similarity = Literal["cosine", "euclidean"]


@dataclass(frozen=True)
class Contrast:
    """InfoNCE and its two parts: how well positives align, how far negatives spread."""

    total: Float[Tensor, ""]
    align: Float[Tensor, ""]
    uniform: Float[Tensor, ""]


def info_nce(
    reference: Float[Tensor, "item dim"],
    positive: Float[Tensor, "item dim"],
    negative: Float[Tensor, "negative dim"],
    similarity: Similarity = "cosine",
    inverse_temperature: float | Tensor = 1.0,
) -> Contrast:
    """The mean of `-phi(reference, positive)` plus the log of the sum over all negatives of `exp phi(reference, negative)`.

    phi is the dot product (of unit vectors: `cosine`) or minus the squared distance, over the temperature. The positive
    is not among what is summed, and the sum is no mean: an embedding that has collapsed to a point gives log(negatives).
    Reference: Schneider, Lee and Mathis 2023, https://doi.org/10.1038/s41586-023-06031-6, Methods, equation 1.
    """
    if similarity == "cosine":
        near, far = (reference * positive).sum(1), reference @ negative.mT
    else:
        # distances do not change when all move; about the references' mean, fewer digits cancel
        centre = reference.mean(0).detach()
        near = -(reference - positive).square().sum(1)
        far = _minus_squared_distance(reference - centre, negative - centre)
    align = -(near * inverse_temperature).mean()
    uniform = (far * inverse_temperature).logsumexp(1).mean()
    return Contrast(align + uniform, align, uniform)


def _minus_squared_distance(a: Float[Tensor, "item dim"], b: Float[Tensor, "other dim"]) -> Float[Tensor, "item other"]:
    return 2 * a @ b.mT - a.square().sum(1, keepdim=True) - b.square().sum(1)


def goodness_of_fit(loss: Tensor, n_negatives: int) -> Tensor:
    """How many bits the loss lies below that of a collapsed embedding: 0 is chance.

    >>> round(goodness_of_fit(torch.tensor(5.0), 512).item(), 6)
    1.786525
    """
    return (math.log(n_negatives) - loss) / math.log(2)


def n_ranks() -> int:
    """How many processes train together."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def gathered(rows: Float[Tensor, "item dim"]) -> Float[Tensor, "all dim"]:
    """The rows of all ranks, through which gradients flow back to the rank that each came from."""
    return rows if n_ranks() == 1 else _Gather.apply(rows)  # type: ignore[return-value]


class _Gather(torch.autograd.Function):
    """All ranks' rows; what other ranks' losses say of ours is summed on the way back."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        parts = [torch.empty_like(rows) for _ in range(n_ranks())]
        dist.all_gather(parts, rows.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        whole = gradients[0].contiguous()
        dist.all_reduce(whole)
        return whole.chunk(n_ranks())[dist.get_rank()]


class Temperature(nn.Module):
    """What similarities are divided by: fixed, or learned but never below `minimum`.

    What learns is the logarithm of the inverse. At the bound the gradient is zero, as published.
    """

    def __init__(self, value: float = 1.0, learn: bool = False, minimum: float = 0.1) -> None:
        super().__init__()
        if value <= 0 or minimum <= 0:
            raise ValueError(f"temperature is {value:g}, at least {minimum:g}: both are positive numbers, such as 1.0")
        self.minimum = minimum
        start = torch.tensor(-math.log(value))
        if learn:
            self.log_inverse = nn.Parameter(start)
        else:
            self.register_buffer("log_inverse", start)
        self.learn = learn

    def inverse(self) -> Float[Tensor, ""]:
        """One over the temperature."""
        inverse = self.log_inverse.exp()
        return inverse.clamp(max=1 / self.minimum) if self.learn else inverse
