"""Layers of the offset encoders: valid convolutions over channels-last memory, and skips that crop what they lose."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


class ValidConv(nn.Conv1d):
    """A convolution without padding, `[batch, channel, 1, time]`, whose parameters are those of `nn.Conv1d`.

    As a convolution of images of height one it keeps time-major memory as it lies, which is a quarter faster on CPUs than
    one of sequences.
    """

    def forward(self, input: Float[Tensor, "batch channel 1 time"]) -> Float[Tensor, "batch out 1 left"]:
        return F.conv2d(input, self.weight.unsqueeze(2), self.bias, stride=(1, self.stride[0]))


class Skip(nn.Module):
    """Adds what a convolution of three samples makes of its input to the samples that it keeps."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Float[Tensor, "batch channel 1 time"]) -> Float[Tensor, "batch channel 1 left"]:
        return x[..., 1:-1] + self.module(x)


class Residual(nn.Module):
    """Adds a layer's output to its input; where the layer is narrower, to the first entries of it."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Float[Tensor, "*row dim"]) -> Float[Tensor, "*row out"]:
        y = self.module(x)
        return x[..., : y.shape[-1]] + y


class Halved(nn.Module):
    """A convolution of four samples at every second one, beside the signal itself at every second one."""

    def __init__(self, n_chans: int, width: int) -> None:
        super().__init__()
        self.layer = ValidConv(n_chans, width, 4, stride=2)

    def forward(self, x: Float[Tensor, "batch channel 1 time"]) -> Float[Tensor, "batch both 1 half"]:
        filtered = self.layer(x)
        return torch.cat([filtered, x[..., : 2 * filtered.shape[-1] : 2]], dim=1)


def unit_length(x: Float[Tensor, "*row dim"]) -> Float[Tensor, "*row dim"]:
    """Each row divided by its norm; a row of zeros stays zero, where the published code gives NaN."""
    return F.normalize(x, dim=-1, eps=1e-12)


def last_layer(name: str) -> nn.Module:
    """The last nonlinearity: none, `tanh`, or `clip` to `low,high` written as `clip:-1000,100`."""
    if name == "none":
        return nn.Identity()
    if name == "tanh":
        return nn.Tanh()
    kind, _, bounds = name.partition(":")
    try:
        low, high = (float(bound) for bound in bounds.split(","))
    except ValueError:
        low, high = 0.0, 0.0
    if kind != "clip" or low >= high:
        raise ValueError(f"output is {name!r}, expected none, tanh, or clip:LOW,HIGH such as clip:-1000,100")
    return nn.Hardtanh(low, high)
