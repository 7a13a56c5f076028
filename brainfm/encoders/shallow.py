"""ShallowConvNet: filtered and spatially summed signals, squared, averaged and logged; band power, learned."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from brainfm.encoders.base import Encoder, one_token, take_signal
from data_loaders.contracts import Batch, Tokens

# samples at 250 Hz, as published: filters of 0.1 s, power over 0.3 s every 0.06 s
_TAPS, _POOL, _STRIDE = 25, 75, 15


class ShallowConvNet(Encoder):
    """The shallow network of 40 temporal and 40 spatial filters; sizes suit 250 Hz.

    Both convolutions are linear and have nothing in between, so they are applied as one. The bias of the temporal one
    is left out, because the batch norm takes it away.
    Reference: Schirrmeister et al. 2017, Hum. Brain Mapp. 38:5391, https://arxiv.org/abs/1703.05051
    """

    def __init__(self, n_chans: int, n_times: int, drop_prob: float = 0.5, n_filters: int = 40) -> None:
        super().__init__()
        least = _TAPS + _POOL - 1
        if n_times < least:
            raise ValueError(
                f"n_times is {n_times}, too short for filter and pooling: take windows of at least {least} samples"
            )
        self.n_chans, self.n_times = n_chans, n_times
        self.conv_time = nn.Conv2d(1, n_filters, (1, _TAPS), bias=False)
        self.conv_space = nn.Conv2d(n_filters, n_filters, (n_chans, 1), bias=False)
        self.norm = nn.BatchNorm1d(n_filters)
        self.pool, self.dropout = nn.AvgPool1d(_POOL, _STRIDE), nn.Dropout(drop_prob)
        nn.init.xavier_uniform_(self.conv_time.weight)
        nn.init.xavier_uniform_(self.conv_space.weight)
        self.dim = n_filters * ((n_times - least) // _STRIDE + 1)

    def forward(self, batch: Batch) -> Tokens:
        signal = take_signal(batch, self.n_chans, self.n_times)
        power = self.pool(self.norm(nn.functional.conv1d(signal, self._kernel())).square())
        # the smallest power whose logarithm is taken, as published
        return one_token(self.dropout(power.clamp(min=1e-6).log()).flatten(1))

    def _kernel(self) -> Float[Tensor, "filter channel tap"]:
        return torch.einsum("fgc,gt->fct", self.conv_space.weight.squeeze(-1), self.conv_time.weight.squeeze((1, 2)))
