"""Subsampled offset encoders: the signal is halved twice before the skips, for recordings at high rates."""

from __future__ import annotations

from torch import nn

from brainfm.encoders.base import Encoder, take_signal, time_tokens
from brainfm.nn.offset import Halved, Skip, ValidConv, unit_length
from data_loaders.contracts import Batch, Tokens

# samples that a window needs: skips between the two halvings and the last convolution, and its length
_PUBLISHED = {40: (3, 3), 20: (1, 2)}


class SubsampledOffset(Encoder):
    """The published offset40-model-4x-subsample and offset20-model-4x-subsample (`n_times` 40 or 20): one token per window.

    Of a longer window there is one token for every fourth sample. Reference: Schneider, Lee and Mathis 2023, Methods.
    """

    def __init__(self, n_chans: int, n_times: int, dim: int = 8, hidden: int = 32) -> None:
        super().__init__()
        if n_times not in _PUBLISHED:
            raise ValueError(f"n_times is {n_times}, expected 40 or 20 samples: change fields.signal, or take Offset")
        self.n_chans, self.n_times, self.dim = n_chans, n_times, dim
        n_skips, final = _PUBLISHED[n_times]
        self.net = nn.Sequential(
            Halved(n_chans, hidden),
            ValidConv(n_chans + hidden, hidden, 3, stride=2),
            nn.GELU(),
            *(Skip(nn.Sequential(ValidConv(hidden, hidden, 3), nn.GELU())) for _ in range(n_skips)),
            ValidConv(hidden, dim, final),
        )

    def forward(self, batch: Batch) -> Tokens:
        features = self.net(take_signal(batch, self.n_chans).unsqueeze(2)).squeeze(2).mT  # [batch, token, dim]
        return time_tokens(unit_length(features))
