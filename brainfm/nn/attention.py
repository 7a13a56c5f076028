"""Attention among tokens of which some are padding: the block that transformers stack."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn


class SelfAttention(nn.Module):
    """Multi-head attention in which nobody looks at padding; without a mask all tokens are real.

    Keys begin as queries, and both large, so that at first tokens attend to tokens like themselves.
    A row of padding alone looks at itself, so that it is finite. Reference: Vaswani et al. 2017, section 3.2.
    """

    def __init__(self, dim: int, n_heads: int) -> None:
        super().__init__()
        if dim % n_heads:
            raise ValueError(
                f"dim is {dim} and does not divide by n_heads {n_heads}: make it {-(-dim // n_heads) * n_heads}"
            )
        self.n_heads = n_heads
        self.qkv, self.out = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        with torch.no_grad():
            # from unrelated keys and queries, masked reconstruction first has to find out which tokens are near: docs/log.md
            self.qkv.weight[:dim] *= 2
            self.qkv.weight[dim : 2 * dim] = self.qkv.weight[:dim]

    def forward(
        self, x: Float[Tensor, "batch token dim"], mask: Bool[Tensor, "batch token"] | None = None
    ) -> Float[Tensor, "batch token dim"]:
        query, key, value = (
            self.qkv(x).unflatten(-1, (3, self.n_heads, -1)).permute(2, 0, 3, 1, 4)
        )  # [batch, head, token, _]
        seen = None if mask is None else (mask | ~mask.any(1, keepdim=True))[:, None, None]  # [batch, 1, 1, token]
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=seen)
        return self.out(mixed.transpose(1, 2).flatten(2))


class Block(nn.Module):
    """Attention, then a two-layer network on each token, both added to what they are given its norm of.

    Reference: Xiong et al. 2020, https://arxiv.org/abs/2002.04745 (pre-norm).
    """

    def __init__(self, dim: int, n_heads: int, dropout: float = 0.0, expansion: int = 4) -> None:
        super().__init__()
        self.attention, self.dropout = SelfAttention(dim, n_heads), nn.Dropout(dropout)
        self.norms = nn.ModuleList([nn.LayerNorm(dim), nn.LayerNorm(dim)])
        self.network = nn.Sequential(nn.Linear(dim, expansion * dim), nn.GELU(), nn.Linear(expansion * dim, dim))

    def forward(
        self, x: Float[Tensor, "batch token dim"], mask: Bool[Tensor, "batch token"] | None = None
    ) -> Float[Tensor, "batch token dim"]:
        x = x + self.dropout(self.attention(self.norms[0](x), mask))
        return x + self.dropout(self.network(self.norms[1](x)))
