"""Units of several sessions in one table: each has a row of its own, START, END and PAD are shared."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

N_SPECIAL = 3  # START, END, PAD


class UnitTable(nn.Module):
    """A vector for each unit of each session and for the special tokens; ids count within a session.

    `n_units` has the number of units of each set, `set_of` the set of each recording (`Batch.session_id`). In a batch, ids
    below `max(n_units)` are units of the row's own session, the next three are the special tokens. `metadata` has a row for
    each unit (its place, the width of its waveform; NaN where unknown): mapped linearly and added to the unit's own
    vector, it is what a trained model knows of neurons that it never saw.
    """

    set_of: Tensor
    rows: Tensor
    real: Tensor

    def __init__(
        self,
        n_units: Sequence[int],
        dim: int,
        set_of: Sequence[int] | None = None,
        metadata: Sequence[Sequence[float]] | None = None,
    ) -> None:
        super().__init__()
        self.widest = max(n_units)
        self.weight = nn.Parameter(torch.empty(sum(n_units) + N_SPECIAL, dim).normal_(0.0, 0.02))
        rows, real = _rows(n_units, self.widest)
        self.register_buffer("rows", rows, persistent=False)
        self.register_buffer("real", real, persistent=False)
        places = torch.arange(len(n_units)) if set_of is None else torch.as_tensor(list(set_of))
        self.register_buffer("set_of", places, persistent=False)
        self.describe = None if metadata is None else _Metadata(metadata, sum(n_units), dim)

    @property
    def vectors(self) -> Float[Tensor, "row dim"]:
        """Every vector of the table, units first."""
        return self.weight if self.describe is None else self.weight + self.describe()

    def embed(
        self, ids: Int[Tensor, "batch token"], session_id: Int[Tensor, "batch"]
    ) -> Float[Tensor, "batch token dim"]:
        """The vectors of tokens. Raises ValueError for a unit that the row's session does not have."""
        which = self._sets(session_id)
        if not self.real[which].gather(1, ids).all():
            row = int((~self.real[which].gather(1, ids)).any(1).nonzero()[0])
            raise ValueError(
                f"a unit fired in session {int(session_id[row])} that its set of {int(self.real[which[row]].sum()) - N_SPECIAL} "
                f"units does not have: prepare the store again, or build the encoder on it"
            )
        return self.vectors[self.rows[which].gather(1, ids)]

    def logits(
        self, x: Float[Tensor, "batch token dim"], session_id: Int[Tensor, "batch"]
    ) -> Float[Tensor, "batch token id"]:
        """The product with every vector of the row's session; minus infinity where it has no such unit."""
        which = self._sets(session_id)
        if len(self.rows) == 1:
            return x @ self.vectors.mT
        return (x @ self.of(session_id).mT).masked_fill(~self.real[which][:, None], -torch.inf)

    def of(self, session_id: Int[Tensor, "batch"]) -> Float[Tensor, "batch id dim"]:
        """The vectors of each row's session, special tokens last; where it has fewer units than the widest, its last again."""
        return self.vectors[self.rows[self._sets(session_id)]]

    def _sets(self, session_id: Int[Tensor, "batch"]) -> Int[Tensor, "batch"]:
        if len(self.rows) == 1:
            return torch.zeros_like(session_id)
        if int(session_id.max()) >= len(self.set_of):
            raise ValueError(
                f"session {int(session_id.max())} is not among the {len(self.set_of)} that the units were made for: "
                f"build the encoder on a store that holds it"
            )
        return self.set_of[session_id]


class _Metadata(nn.Module):
    """What the metadata of each unit say, as a vector; nothing for the special tokens."""

    values: Tensor

    def __init__(self, metadata: Sequence[Sequence[float]], n_units: int, dim: int) -> None:
        super().__init__()
        table = torch.as_tensor(metadata, dtype=torch.float32)
        if table.ndim != 2 or len(table) != n_units:
            raise ValueError(
                f"metadata has the shape {tuple(table.shape)}, expected a row for each of the {n_units} units"
            )
        known = ~table.isnan()
        values = torch.cat([torch.where(known, table, 0.0), known.float()], 1)  # [unit, 2 * feature]
        self.register_buffer(
            "values", torch.cat([values, values.new_zeros(N_SPECIAL, values.shape[1])]), persistent=False
        )
        self.linear = nn.Linear(values.shape[1], dim, bias=False)

    def forward(self) -> Float[Tensor, "row dim"]:
        return self.linear(self.values)


def _rows(n_units: Sequence[int], widest: int) -> tuple[Int[Tensor, "set id"], Bool[Tensor, "set id"]]:
    """For each set, the row of the table of each id, and whether there is such an id."""
    total, rows, real = sum(n_units), [], []
    for first, n in zip(accumulate([0, *n_units]), n_units, strict=False):
        own = torch.arange(widest).clamp(max=n - 1) + first
        rows.append(torch.cat([own, total + torch.arange(N_SPECIAL)]))
        real.append(torch.cat([torch.arange(widest) < n, torch.ones(N_SPECIAL, dtype=torch.bool)]))
    return torch.stack(rows), torch.stack(real)
