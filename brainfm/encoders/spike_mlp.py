"""Spike MLP: how often each unit fired, before and since the window began, through a network; the Neuroformer's plainest baseline."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from brainfm.encoders.base import Context, SpikeEncoder, State
from brainfm.nn.projectors import time_network
from brainfm.nn.units import UnitTable
from data_loaders.contracts import Batch

_SPANS = 4  # the past is summed in as many spans, equally long


class SpikeMLP(SpikeEncoder):
    """A network of three things: sums over spans of the past, the sum of the window's tokens so far, and the last token.

    Sums know how often each unit fired and nothing of the order. It looks at the two fields of spikes alone, other
    modalities are not read. Sizes are those of the Neuroformer.
    Reference: Antoniades et al. 2024, https://arxiv.org/abs/2311.00136 (baselines).
    """

    def __init__(
        self,
        n_units: Sequence[int],
        set_of: Sequence[int] | None = None,
        past_seconds: float = 0.15,
        current_seconds: float = 0.05,
        bin: float = 0.01,
        block: int = 100,
        past_block: int = 700,
        dim: int = 256,
        n_layers: int = 2,
        dropout: float = 0.2,
        unit_std: float = 1.0,
    ) -> None:
        super().__init__()
        self.dim = dim
        self._name_tokens(max(n_units), (past_seconds, past_block), (current_seconds, block), bin)
        self.units, self.time = UnitTable(n_units, dim, set_of), time_network(dim, dropout)
        nn.init.normal_(self.units.weight, std=unit_std)
        wide = (_SPANS + 2) * dim
        hidden = [[nn.LayerNorm(dim), nn.Linear(dim, dim), nn.GELU(), nn.Dropout(dropout)] for _ in range(n_layers - 1)]
        self.network = nn.Sequential(
            nn.LayerNorm(wide), nn.Linear(wide, dim), nn.GELU(), nn.Dropout(dropout), *(part for one in hidden for part in one)
        )  # fmt: skip

    def context(self, batch: Batch) -> Context:
        """The sums over spans, one after another."""
        tokens = self.recall(batch)
        spike = tokens.id < self.past.n_units
        span = torch.where(spike, tokens.step * _SPANS // self.past.n_bins, -1)
        x = self.units.embed(tokens.id, batch.session_id)
        of = (span[:, None] == torch.arange(_SPANS, device=x.device)[:, None]).to(x.dtype)  # [batch, span, token]
        return Context(pooled={"past": (of @ x).flatten(1)})

    def decode(
        self,
        ids: Int[Tensor, "batch token"],
        steps: Int[Tensor, "batch token"],
        session_id: Int[Tensor, "batch"],
        context: Context,
        state: State | None = None,
    ) -> Float[Tensor, "batch token dim"]:
        state = state or State()
        unit = self.units.embed(ids, session_id)
        last = unit + self.time(steps[..., None].to(unit.dtype) / self.current.step_pad)
        so_far = last.cumsum(1) + (state.kept[0] if state.kept else 0.0)
        before = context.pooled["past"][:, None].expand(-1, ids.shape[1], -1)
        state.n, state.kept = state.n + ids.shape[1], [so_far[:, -1:]]
        return self.network(torch.cat([before, so_far, last], -1))
