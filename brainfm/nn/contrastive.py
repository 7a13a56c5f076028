"""Contrastive learning: similarities, InfoNCE and temperatures that may learn."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

Similarity = Literal["cosine", "euclidean"]


@dataclass(frozen=True)
class Contrast:
    """InfoNCE and its two parts: how well positives align, how far negatives spread; and against how many."""

    total: Float[Tensor, ""]
    align: Float[Tensor, ""]
    uniform: Float[Tensor, ""]
    n_negatives: int


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
    return Contrast(align + uniform, align, uniform, len(negative))


def _minus_squared_distance(a: Float[Tensor, "item dim"], b: Float[Tensor, "other dim"]) -> Float[Tensor, "item other"]:
    return 2 * a @ b.mT - a.square().sum(1, keepdim=True) - b.square().sum(1)


def goodness_of_fit(loss: Tensor, n_negatives: int) -> Tensor:
    """How many bits the loss lies below that of a collapsed embedding: 0 is chance.

    >>> round(goodness_of_fit(torch.tensor(5.0), 512).item(), 6)
    1.786525
    """
    return (math.log(n_negatives) - loss) / math.log(2)


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
