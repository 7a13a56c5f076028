"""Attention of one sequence to another, or to its own past, whose keys can be kept: what generation runs on."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn


@dataclass(frozen=True)
class Memory:
    """What can be looked at: keys and values, and which tokens are real (None where all are)."""

    key: Float[Tensor, "batch head token width"]
    value: Float[Tensor, "batch head token width"]
    mask: Bool[Tensor, "batch token"] | None = None

    def repeated(self, n: int) -> Memory:
        """The same for n copies of the batch, one after another."""
        mask = None if self.mask is None else self.mask.repeat(n, 1)
        return Memory(self.key.repeat(n, 1, 1, 1), self.value.repeat(n, 1, 1, 1), mask)


class Cache:
    """The memory of a sequence that grows by one token a step, in a block that is made once."""

    def __init__(self, first: Memory, length: int) -> None:
        shape = (*first.key.shape[:2], length, first.key.shape[3])
        self._key, self._value = first.key.new_empty(shape), first.value.new_empty(shape)
        self._n = 0

    def grown(self, new: Memory) -> Memory:
        """All tokens so far, with these behind them."""
        stop = self._n + new.key.shape[2]
        self._key[:, :, self._n : stop], self._value[:, :, self._n : stop] = new.key, new.value
        self._n = stop
        return Memory(self._key[:, :, :stop], self._value[:, :, :stop])


class Attention(nn.Module):
    """Multi-head attention with a projection each for queries, keys, values and output (Vaswani et al. 2017, section 3.2)."""

    def __init__(self, dim: int, n_heads: int, dropout: float) -> None:
        super().__init__()
        if dim % n_heads:
            raise ValueError(
                f"dim is {dim} and does not divide by n_heads {n_heads}: make it {-(-dim // n_heads) * n_heads}"
            )
        self.n_heads, self.dropout = n_heads, dropout
        self.query, self.key, self.value = nn.Linear(dim, dim), nn.Linear(dim, dim), nn.Linear(dim, dim)
        self.out = nn.Linear(dim, dim)

    def remember(self, x: Float[Tensor, "batch token dim"], mask: Bool[Tensor, "batch token"] | None = None) -> Memory:
        """Keys and values of what will be looked at."""
        return Memory(self._heads(self.key(x)), self._heads(self.value(x)), mask)

    def forward(
        self, x: Float[Tensor, "batch token dim"], memory: Memory, causal: bool = False
    ) -> Float[Tensor, "batch token dim"]:
        seen = None if memory.mask is None else memory.mask[:, None, None]  # [batch, 1, 1, token]
        dropout = self.dropout if self.training else 0.0
        # one new token may see everything before it
        causal = causal and x.shape[1] > 1
        mixed = F.scaled_dot_product_attention(
            self._heads(self.query(x)), memory.key, memory.value, seen, dropout, is_causal=causal
        )
        return self.out(mixed.transpose(1, 2).flatten(2))

    def weights(
        self, x: Float[Tensor, "batch token dim"], memory: Memory, causal: bool = False
    ) -> Float[Tensor, "batch head token seen"]:
        """How much each token looks at each token of the memory; rows sum to 1."""
        scores = self._heads(self.query(x)) @ memory.key.mT / memory.key.shape[-1] ** 0.5
        if memory.mask is not None:
            scores = scores.masked_fill(~memory.mask[:, None, None], -torch.inf)
        if causal:
            later = torch.ones_like(scores[0, 0], dtype=torch.bool).triu(1)
            scores = scores.masked_fill(later, -torch.inf)
        return scores.softmax(-1)

    def _heads(self, x: Float[Tensor, "batch token dim"]) -> Float[Tensor, "batch head token width"]:
        return x.unflatten(-1, (self.n_heads, -1)).transpose(1, 2)


class DecoderBlock(nn.Module):
    """Attention, then a two-layer network, both on the normed input and added to it; the sum is normed once more.

    Keys and values are made of what is looked at as it is. The last norm is the Neuroformer's (its spec, section 3).
    """

    def __init__(self, dim: int, n_heads: int, dropout: float) -> None:
        super().__init__()
        self.norm_attention, self.norm_network = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.attention = Attention(dim, n_heads, dropout)
        self.network = nn.Sequential(nn.Linear(dim, 4 * dim), nn.GELU(), nn.Linear(4 * dim, dim))
        self.norm_out, self.dropout = nn.LayerNorm(dim), nn.Dropout(dropout)

    def forward(
        self, x: Float[Tensor, "batch token dim"], memory: Memory | None = None, causal: bool = False
    ) -> Float[Tensor, "batch token dim"]:
        """Looks at `memory`; without one at itself, where `causal` hides what comes later."""
        seen = self.attention.remember(x) if memory is None else memory
        x = x + self.dropout(self.attention(self.norm_attention(x), seen, causal))
        return self.norm_out(x + self.dropout(self.network(self.norm_network(x))))
