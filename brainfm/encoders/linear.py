"""Linear: the window itself, averaged in time, for short windows of slow signals and for connectomes."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from brainfm.encoders.base import Encoder, one_token, take_signal
from data_loaders.contracts import Batch, Tokens


class Linear(Encoder):
    """Gives every channel's mean over `n_steps` equal parts of the window to the head, which then is a linear decoder.

    It has no weights of its own; a recipe regularises it by weight decay and `dropout`, which acts on whole features.
    Samples that are padding do not count.
    """

    def __init__(self, n_chans: int, n_times: int, n_steps: int = 1, dropout: float = 0.5) -> None:
        super().__init__()
        if not 1 <= n_steps <= n_times:
            raise ValueError(f"n_steps is {n_steps}, but a window has {n_times} samples: take 1 to {n_times}")
        self.n_chans, self.n_steps, self.dim = n_chans, n_steps, n_chans * n_steps
        self.dropout = nn.Dropout(dropout)

    def forward(self, batch: Batch) -> Tokens:
        means = _means(take_signal(batch, self.n_chans), batch.time_mask, self.n_steps)
        return one_token(self.dropout(means.flatten(1)))


def _means(
    signal: Float[Tensor, "batch channel time"], time_mask: Tensor, n_steps: int
) -> Float[Tensor, "batch channel step"]:
    """The mean of what is real in each part; parts differ by a sample at most."""
    part = torch.arange(signal.shape[2], device=signal.device) * n_steps // signal.shape[2]
    member = nn.functional.one_hot(part, n_steps).to(signal) * time_mask[..., None]  # [batch, time, step]
    return (signal @ member) / member.sum(1, keepdim=True).clamp(min=1)
