"""Limits on weights: the norm of each output filter kept at or below a value."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize


class MaxNorm(nn.Module):
    """Scales each output filter whose L2 norm exceeds `limit` back to it, on every use of the weight.

    As a parametrization: the stored weight is free, what the layer computes with is not, and gradients pass through the
    scaling. Filters are rows of the weight, along its first axis.
    """

    def __init__(self, limit: float) -> None:
        super().__init__()
        if not limit > 0:
            raise ValueError(f"the max-norm is {limit:g}, expected a positive number: 1.0 for spatial filters is usual")
        self.limit = limit

    def forward(self, weight: Tensor) -> Tensor:
        return weight.renorm(p=2, dim=0, maxnorm=self.limit)


def constrain(layer: nn.Module, limit: float) -> None:
    """Lets a layer compute with its weight as `MaxNorm` scales it; the stored weight stays as it is."""
    # unsafe: the weight keeps its shape and type, so the check that would compute it once more is not needed
    parametrize.register_parametrization(layer, "weight", MaxNorm(limit), unsafe=True)


def project(layer: nn.Module, limit: float) -> None:
    """Brings the stored weight itself back inside the max-norm before each use, as Keras does after each step.

    Between a step and the next use the stored weight may exceed the limit; what is computed never does.
    """
    limited = MaxNorm(limit)
    layer.register_forward_pre_hook(_Projection(limited))


class _Projection:
    """A forward hook; a class so that copies of the layer carry it along."""

    def __init__(self, limited: MaxNorm) -> None:
        self.limited = limited

    @torch.no_grad()
    def __call__(self, layer: nn.Module, args: tuple) -> None:
        weight = layer.get_parameter("weight")
        inside = self.limited(weight)
        # only where it moves: a weight that an earlier forward pass still needs for its gradient stays untouched
        if not torch.equal(inside, weight):
            weight.copy_(inside)
