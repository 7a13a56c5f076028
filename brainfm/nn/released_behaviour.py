"""How the Neuroformer's released code reads behaviour: kept for its weights, for the value itself is lost on the way."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from brainfm.nn.projectors import Projected, Projector, samples, sinusoids
from data_loaders.contracts import Events, Sampled


class ReleasedBehaviour(Projector):
    """Each variable by itself: a layer norm over its one value, which makes any value the norm's bias, then a small network.

    So nothing of the behaviour reaches the model but when it was sampled: for anything but parity take Values.
    Reference: the released code's ProjectNorm (commit 36ed940), described in the paper's supplement.
    """

    def __init__(self, variables: Sequence[str], dim: int = 256, layers: int = 4) -> None:
        super().__init__()
        self.dim, self.layers, self.self_layers = dim, layers, 0
        self.variables = nn.ModuleDict({name: _Variable(dim) for name in variables})

    def forward(self, field: Sampled | Events) -> Projected:
        values, mask = samples(field, len(self.variables))  # [batch, time, feature]
        tokens = [part(values[..., i, None]) for i, part in enumerate(self.variables.values())]
        place = sinusoids((len(tokens), values.shape[1]), self.dim, values.device)
        return torch.cat(tokens, 1) + place, mask.repeat(1, len(tokens))


class _Variable(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(1)
        self.network = nn.Sequential(nn.Linear(1, 2, bias=False), nn.GELU(), nn.Linear(2, dim, bias=False))

    def forward(self, value: Tensor) -> Tensor:
        return self.network(self.norm(value))
