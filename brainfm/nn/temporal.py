"""Convolution and pooling along time of [batch, filter, channel, time] maps, with the paddings the field uses."""

from __future__ import annotations

from typing import Literal

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

PoolMode = Literal["pad_zero", "same", "valid"]


class TimeConv(nn.Conv2d):
    """A convolution over time, without bias, whose output is as long as its input.

    Zeros are split as Keras and torch split SAME padding: for an even kernel one more behind than before.
    """

    def __init__(self, n_in: int, n_out: int, taps: int, dilation: int = 1, groups: int = 1) -> None:
        super().__init__(n_in, n_out, (1, taps), dilation=(1, dilation), groups=groups, bias=False)

    def forward(self, input: Float[Tensor, "batch filter channel time"]) -> Float[Tensor, "batch out channel time"]:
        zeros = self.dilation[1] * (self.kernel_size[1] - 1)
        return super().forward(F.pad(input, (zeros // 2, zeros - zeros // 2)))


class TimePool(nn.Module):
    """The mean over each `width` samples.

    `pad_zero`: one zero at either end is counted in, which shifts the grid by a sample and drops what is left over at
    the end (what braindecode's EEGNeX computes). `same`: as Keras, every sample counts, edge windows are the mean of
    the samples they have. `valid`: whole windows only.

    >>> import torch
    >>> TimePool(4, "pad_zero")(torch.ones(1, 1, 1, 10)).flatten()
    tensor([0.7500, 1.0000, 0.7500])
    >>> TimePool(4, "same")(torch.ones(1, 1, 1, 10)).flatten()
    tensor([1., 1., 1.])
    """

    def __init__(self, width: int, mode: PoolMode) -> None:
        super().__init__()
        self.width, self.mode = width, mode

    def length(self, n_times: int) -> int:
        """How many samples come out of `n_times`."""
        return (n_times + sum(self._padding(n_times))) // self.width

    def forward(self, maps: Float[Tensor, "batch filter channel time"]) -> Float[Tensor, "batch filter channel pooled"]:
        before, after = self._padding(maps.shape[-1])
        padded = F.pad(maps, (before, after)) if before or after else maps
        pooled = F.avg_pool2d(padded, (1, self.width))
        if self.mode == "same":
            real = F.pad(maps.new_ones(1, 1, 1, maps.shape[-1]), (before, after))
            pooled = pooled / F.avg_pool2d(real, (1, self.width))
        return pooled

    def _padding(self, n_times: int) -> tuple[int, int]:
        if self.mode == "same":
            zeros = -n_times % self.width
            return zeros // 2, zeros - zeros // 2
        return (1, 1) if self.mode == "pad_zero" else (0, 0)


class OverTime(nn.BatchNorm2d):
    """Batch normalisation of each time sample over batch, filters and channels.

    What Keras' default axis does to channels-first maps: its parameters are as long as the window.
    """

    def forward(self, input: Float[Tensor, "batch filter channel time"]) -> Float[Tensor, "batch filter channel time"]:
        return super().forward(input.transpose(1, 3)).transpose(1, 3)
