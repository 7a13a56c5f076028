"""EEGNet: a temporal, a spatial and a separable convolution; the reference network for EEG."""

from __future__ import annotations

import torch.nn.functional as F
from torch import nn

from brainfm.encoders.base import Encoder, one_token, take_signal
from brainfm.nn.constraints import constrain
from brainfm.nn.temporal import TimeConv, TimePool
from data_loaders.contracts import Batch, Tokens

_POOLS = (4, 8)


class EEGNet(Encoder):
    """EEGNet-8,2 as its authors give it: 64 taps, SAME padding, dropout 0.5, spatial max-norm 1; batch norms as in Keras.

    Take `Classification(max_norm=0.25)` for the authors' classifier. The defaults suit 128 Hz: `taps` is half a second.
    Reference: Lawhern et al. 2018, J. Neural Eng. 15:056013, https://arxiv.org/abs/1611.08024
    """

    def __init__(
        self,
        n_chans: int,
        n_times: int,
        drop_prob: float = 0.5,
        taps: int = 64,
        n_temporal: int = 8,
        n_spatial: int = 2,
    ) -> None:
        super().__init__()
        self.n_chans, self.n_times = n_chans, n_times
        n_maps = n_temporal * n_spatial
        self.conv_1, self.norm_1 = TimeConv(1, n_temporal, taps), _norm(n_temporal)
        self.conv_2 = nn.Conv2d(n_temporal, n_maps, (n_chans, 1), groups=n_temporal, bias=False)
        self.norm_2, self.norm_3 = _norm(n_maps), _norm(n_maps)
        self.conv_3, self.mix_3 = TimeConv(n_maps, n_maps, 16, groups=n_maps), nn.Conv2d(n_maps, n_maps, 1, bias=False)
        self.pool_2, self.pool_3 = (TimePool(width, "valid") for width in _POOLS)
        self.dropout = nn.Dropout(drop_prob)
        for conv in (self.conv_1, self.conv_2, self.conv_3, self.mix_3):
            nn.init.xavier_uniform_(conv.weight)
        constrain(self.conv_2, 1.0)
        self.dim = n_maps * self._length(n_times)

    def forward(self, batch: Batch) -> Tokens:
        signal = take_signal(batch, self.n_chans, self.n_times)
        maps = self.norm_1(self.conv_1(signal.unsqueeze(1)))
        maps = self.dropout(self.pool_2(F.elu(self.norm_2(self.conv_2(maps)))))
        maps = self.dropout(self.pool_3(F.elu(self.norm_3(self.mix_3(self.conv_3(maps))))))
        return one_token(maps.flatten(1))

    def _length(self, n_times: int) -> int:
        length = self.pool_3.length(self.pool_2.length(n_times))
        if length < 1:
            least = _POOLS[0] * _POOLS[1]
            raise ValueError(
                f"n_times is {n_times}, too short for two poolings: take windows of at least {least} samples"
            )
        return length


def _norm(n_filters: int) -> nn.BatchNorm2d:
    # Keras' defaults: running = 0.99 running + 0.01 batch
    return nn.BatchNorm2d(n_filters, eps=1e-3, momentum=0.01)
