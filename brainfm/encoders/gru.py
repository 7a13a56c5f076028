"""GRU: a recurrent network read out at the last sample, for binned counts or any signal."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from brainfm.encoders.base import Encoder, one_token, take_signal
from data_loaders.contracts import Batch, Tokens


class GRU(Encoder):
    """Reads the channels sample by sample; the one token is its state at each window's last real sample.

    `hidden` is the width of the state, `dropout` acts on the token (and between layers, where there are several).
    Reference: Cho et al. 2014, https://arxiv.org/abs/1406.1078
    """

    def __init__(self, n_chans: int, hidden: int = 64, dropout: float = 0.3, n_layers: int = 1) -> None:
        super().__init__()
        self.n_chans, self.dim = n_chans, hidden
        self.gru = nn.GRU(n_chans, hidden, n_layers, batch_first=True, dropout=dropout if n_layers > 1 else 0.0)
        self.dropout = nn.Dropout(dropout)

    def forward(self, batch: Batch) -> Tokens:
        states, _ = self.gru(take_signal(batch, self.n_chans).mT)  # [batch, time, dim]
        return one_token(self.dropout(_last(states, batch.time_mask)))


def _last(states: Float[Tensor, "batch time dim"], time_mask: Tensor) -> Float[Tensor, "batch dim"]:
    """The state at each row's last real sample."""
    position = torch.arange(states.shape[1], device=states.device)
    last = torch.where(time_mask, position, 0).amax(1)  # [batch]
    return states[torch.arange(len(states), device=states.device), last]
