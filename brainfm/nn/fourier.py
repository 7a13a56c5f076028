"""Fourier codes: a place or a time as sines and cosines of many wavelengths, so that near means alike."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn


class FourierCode(nn.Module):
    """Codes `n_axes` coordinates by sines and cosines of `n_waves` wavelengths each, and maps them linearly to `dim`.

    Wavelengths are spaced evenly in their logarithm from `shortest` to `longest`, in the unit of the coordinates. Where a
    coordinate is NaN the code is one learned vector, zero at first: such places are known to be unknown, and all alike.
    Reference: Tancik et al. 2020, https://arxiv.org/abs/2006.10739 (section 3; axes apart, as Vaswani et al. 2017 do for time)
    """

    frequencies: Tensor

    def __init__(self, n_axes: int, dim: int, shortest: float, longest: float, n_waves: int = 8) -> None:
        super().__init__()
        spaced = torch.logspace(0, 1, n_waves, base=longest / shortest, dtype=torch.float64)
        self.register_buffer("frequencies", (2 * torch.pi / longest * spaced).float(), persistent=False)
        self.linear = nn.Linear(2 * n_axes * n_waves, dim)
        with torch.no_grad():
            # as large as what it is added to, so that attention sees places from the start
            self.linear.weight *= 2
        self.unknown = nn.Parameter(torch.zeros(dim))

    def forward(self, place: Float[Tensor, "*item axis"]) -> Float[Tensor, "*item dim"]:
        known = ~place.isnan().any(-1, keepdim=True)
        angle = (torch.nan_to_num(place).unsqueeze(-1) * self.frequencies).flatten(-2)  # [*item, axis * wave]
        return torch.where(known, self.linear(torch.cat([angle.sin(), angle.cos()], -1)), self.unknown)
