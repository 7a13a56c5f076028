"""Offset encoders: small valid convolutions that see a few samples around each moment, for contrastive embeddings."""

from __future__ import annotations

from torch import nn

from brainfm.encoders.base import Encoder, take_signal, time_tokens
from brainfm.nn.offset import Skip, ValidConv, last_layer, unit_length
from data_loaders.contracts import Batch, Tokens


class Offset(Encoder):
    """One token per window of `n_times` samples; of a longer window, one for each place where such a window fits.

    `n_times` 5, 10, 15, 20, 36, 40 and 50 are the published offset5 to offset50; any number from 4 on is built alike: a
    convolution of two samples, skips of three, and one of two or three. `normalise` gives unit vectors, for cosine
    similarity; the published "-mse" encoders have none, and may end in `output` (`tanh`, `clip:-1000,100`). `dropout`
    zeroes whole channels after the first convolution (offset36-dropout: 0.1), `skip_dropout` also before each skip.
    Reference: Schneider, Lee and Mathis 2023, https://doi.org/10.1038/s41586-023-06031-6, Methods.
    """

    def __init__(
        self,
        n_chans: int,
        n_times: int,
        dim: int = 8,
        hidden: int = 32,
        normalise: bool = True,
        output: str = "none",
        dropout: float = 0.0,
        skip_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if n_times < 4:
            raise ValueError(
                f"n_times is {n_times}, and Offset needs at least 4 samples: widen fields.signal, or take Offset1 for one sample"
            )
        self.n_chans, self.n_times, self.dim, self.normalise = n_chans, n_times, dim, normalise
        self.net = _net(n_chans, n_times, hidden, dim, (dropout, skip_dropout), output)

    def forward(self, batch: Batch) -> Tokens:
        signal = take_signal(batch, self.n_chans)
        if signal.shape[-1] < self.n_times:
            raise ValueError(
                f"the encoder sees {self.n_times} samples and windows have {signal.shape[-1]}: build it with that n_times"
            )
        features = self.net(signal.unsqueeze(2)).squeeze(2).mT  # [batch, token, dim]
        return time_tokens(unit_length(features) if self.normalise else features)


def _net(n_chans: int, n_times: int, hidden: int, dim: int, dropout: tuple[float, float], last: str) -> nn.Sequential:
    # the last convolution takes what skips of three samples cannot: two samples where n_times is odd
    final = 2 if n_times % 2 else 3
    first = [ValidConv(n_chans, hidden, 2), *([nn.Dropout2d(dropout[0])] if dropout[0] else []), nn.GELU()]
    skips = [_skip(hidden, dropout[1]) for _ in range((n_times - 1 - final) // 2)]
    return nn.Sequential(*first, *skips, ValidConv(hidden, dim, final), last_layer(last))


def _skip(hidden: int, dropout: float) -> Skip:
    drop = [nn.Dropout2d(dropout)] if dropout else []
    return Skip(nn.Sequential(*drop, ValidConv(hidden, hidden, 3), nn.GELU()))
