"""What else a model of spikes is shown, as tokens of its width: behaviour, other signals, spikes of other neurons."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from data_loaders.contracts import Events, Sampled

Projected = tuple[Float[Tensor, "batch token dim"], Bool[Tensor, "batch token"]]


class Projector(nn.Module, ABC):
    """Turns one field of a batch into tokens. `layers` blocks of the decoder look at them, after `self_layers` of their own."""

    dim: int
    layers: int
    self_layers: int

    @abstractmethod
    def forward(self, field: Sampled | Events) -> Projected:
        """The tokens, and which are real."""


class Values(Projector):
    """A token for each sample of a stream of `n_features` values: position, velocity, speed, a filtered signal.

    Values are mapped linearly together with their sines and cosines at four wavelengths, from half a unit to four: streams
    are best scaled to unit variance. Cost grows with the samples of a window, not with the features.
    """

    def __init__(
        self, n_features: int, dim: int = 256, layers: int = 2, self_layers: int = 0, dropout: float = 0.2
    ) -> None:
        super().__init__()
        self.n_features, self.dim, self.layers, self.self_layers = n_features, dim, layers, self_layers
        self.linear, self.dropout = nn.Linear(9 * n_features, dim), nn.Dropout(dropout)

    def forward(self, field: Sampled | Events) -> Projected:
        values, mask = samples(field, self.n_features)  # [batch, time, feature]
        waves = torch.cat([values * (2 * torch.pi / length) for length in (0.5, 1.0, 2.0, 4.0)], -1)
        tokens = self.linear(torch.cat([values, waves.sin(), waves.cos()], -1))
        return self.dropout(tokens + sinusoid(tokens.shape[1], self.dim, tokens.device)), mask


class Spikes(Projector):
    """A token for each spike of another field of spikes, such as a longer past or another region of the same recording."""

    def __init__(
        self, n_units: int, dim: int = 256, layers: int = 2, self_layers: int = 0, dropout: float = 0.2
    ) -> None:
        super().__init__()
        self.dim, self.layers, self.self_layers = dim, layers, self_layers
        self.unit, self.dropout = nn.Embedding(n_units, dim), nn.Dropout(dropout)
        self.time = time_network(dim)

    def forward(self, field: Sampled | Events) -> Projected:
        if not isinstance(field, Events):
            raise ValueError("Spikes reads a field of spikes and was given a stream: take Values for it")
        if field.channel.shape[1] == 0:
            return self.unit.weight.new_zeros(len(field.channel), 0, self.dim), field.mask
        # hundredths of a second, the unit of the steps of tokens
        return self.dropout(self.unit(field.channel) + self.time(100.0 * field.time[..., None])), field.mask


def samples(
    field: Sampled | Events, n_features: int
) -> tuple[Float[Tensor, "batch time feature"], Bool[Tensor, "batch time"]]:
    """A stream as [batch, time, feature], and which samples are real."""
    if not isinstance(field, Sampled):
        raise ValueError("a stream was expected and the field holds spikes: take the projector Spikes for it")
    values = field.values.float().reshape(len(field.mask), -1, field.mask.shape[1]).mT
    if values.shape[2] != n_features:
        raise ValueError(
            f"the stream has {values.shape[2]} values a sample and the projector was built for {n_features}: "
            f"set n_features to {values.shape[2]}"
        )
    return values, field.mask


def time_network(dim: int, dropout: float = 0.2) -> nn.Sequential:
    """The Neuroformer's embedding of a time: a number through a small network."""
    return nn.Sequential(nn.Linear(1, dim // 2), nn.GELU(), nn.Linear(dim // 2, dim), nn.Dropout(dropout))


def sinusoid(n: int, dim: int, device: torch.device | None = None) -> Float[Tensor, "token dim"]:
    """Sines and cosines of a place (Vaswani et al. 2017, section 3.5)."""
    return sinusoids((n,), dim, device)


def sinusoids(shape: Sequence[int], dim: int, device: torch.device | None = None) -> Float[Tensor, "token dim"]:
    """The same for places in a grid: an equal share of the width codes each axis, what is left over is zero."""
    share = 2 * (dim // (2 * len(shape)))
    rate = 10_000.0 ** (-torch.arange(0, share, 2, device=device) / max(share, 1))
    grid = torch.meshgrid(*(torch.arange(n, device=device) for n in shape), indexing="ij")
    angles = [place.flatten()[:, None] * rate for place in grid]
    code = torch.cat([part for angle in angles for part in (angle.sin(), angle.cos())], 1)
    return torch.nn.functional.pad(code, (0, dim - code.shape[1]))
