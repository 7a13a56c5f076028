"""Spike GRU: a recurrent network over past spikes, then over the window's, as the Neuroformer's baseline."""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Float, Int
from torch import Tensor, nn

from brainfm.encoders.base import Context, SpikeEncoder, State
from brainfm.nn.projectors import time_network
from brainfm.nn.units import UnitTable
from data_loaders.contracts import Batch


class SpikeGRU(SpikeEncoder):
    """Stacked GRUs read the past token by token; the state they end in is the one from which they read the window.

    It looks at the two fields of spikes alone, other modalities are not read. Sizes are those of the Neuroformer.
    Reference: Antoniades et al. 2024, https://arxiv.org/abs/2311.00136 (baselines); Cho et al. 2014.
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
        n_layers: int = 3,
        dropout: float = 0.2,
        unit_std: float = 1.0,
    ) -> None:
        super().__init__()
        self.dim, self.n_layers = dim, n_layers
        self._name_tokens(max(n_units), (past_seconds, past_block), (current_seconds, block), bin)
        self.units, self.dropout = UnitTable(n_units, dim, set_of), nn.Dropout(dropout)
        nn.init.normal_(self.units.weight, std=unit_std)
        self.time, self.past_time = time_network(dim, dropout), time_network(dim, dropout)
        inside = dropout if n_layers > 1 else 0.0
        self.reader, self.writer = (nn.GRU(dim, dim, n_layers, batch_first=True, dropout=inside) for _ in range(2))

    def context(self, batch: Batch) -> Context:
        """The state behind the last spike of the past, all layers in one vector."""
        tokens = self.recall(batch)
        x = self._embedded(tokens.id, tokens.step, batch.session_id, self.past_time)
        lengths = (tokens.mask.sum(1) - 1).cpu()  # to the last spike, END says nothing
        packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        return Context(pooled={"past": self.reader(packed)[1].transpose(0, 1).flatten(1)})

    def decode(
        self,
        ids: Int[Tensor, "batch token"],
        steps: Int[Tensor, "batch token"],
        session_id: Int[Tensor, "batch"],
        context: Context,
        state: State | None = None,
    ) -> Float[Tensor, "batch token dim"]:
        state = state or State()
        first = context.pooled["past"].unflatten(1, (self.n_layers, -1)).transpose(0, 1).contiguous()
        x = self._embedded(ids, steps, session_id, self.time)
        x, after = self.writer(x, state.kept[0] if state.kept else first)
        state.n, state.kept = state.n + ids.shape[1], [after]
        return self.dropout(x)

    def _embedded(self, ids: Tensor, steps: Tensor, session_id: Tensor, time: nn.Module) -> Tensor:
        unit = self.units.embed(ids, session_id)
        # a share of the window: whole bins would drive the gates to their ends, where nothing is learned
        share = steps[..., None].to(unit.dtype) / self.current.step_pad
        return self.dropout(unit + time(share))
