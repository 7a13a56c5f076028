"""Offset4 at half the rate: four samples are halved and go through a small network."""

from __future__ import annotations

import itertools

from torch import nn

from brainfm.encoders.base import Encoder, take_signal, time_tokens
from brainfm.nn.offset import Halved, unit_length
from data_loaders.contracts import Batch, Tokens


class HalvedOffset(Encoder):
    """The published offset4-model-2x-subsample: one token per window of four samples, of a longer one for every second.

    Reference: Schneider, Lee and Mathis 2023, Methods.
    """

    n_times = 4

    def __init__(self, n_chans: int, dim: int = 8, hidden: int = 32) -> None:
        super().__init__()
        self.n_chans, self.dim = n_chans, dim
        widths = (n_chans + hidden, hidden, hidden, hidden // 2)
        layers = [m for a, b in itertools.pairwise(widths) for m in (nn.Linear(a, b), nn.GELU())]
        # the identity stands where the published network flattens
        self.net = nn.Sequential(Halved(n_chans, hidden), nn.Identity(), *layers, nn.Linear(hidden // 2, dim))

    def forward(self, batch: Batch) -> Tokens:
        halved = self.net[0](take_signal(batch, self.n_chans).unsqueeze(2)).squeeze(2).mT  # [batch, token, both]
        return time_tokens(unit_length(self.net[1:](halved)))
