"""Attention among tokens of which some are padding: the block that transformers stack."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn


class SelfAttention(nn.Module):
    """Multi-head attention in which nobody looks at padding; without a mask all tokens are real.

    With `time` (seconds, at least `unit` apart) queries and keys are turned by it, so that attention depends on how far apart
    tokens are; every other head begins drawn to tokens of the same moment. Keys begin as queries: at first tokens attend to
    tokens like themselves. A row of padding alone looks at itself, so that it is finite.

    Reference: Vaswani et al. 2017, section 3.2; Su et al. 2021, https://arxiv.org/abs/2104.09864 (section 3.4.2, rotary codes)
    """

    def __init__(self, dim: int, n_heads: int, unit: float = 1.0) -> None:
        super().__init__()
        if dim % n_heads or (dim // n_heads) % 2:
            even = 2 * n_heads
            raise ValueError(
                f"dim is {dim}, expected a multiple of {even} for {n_heads} heads: make it {-(-dim // even) * even}"
            )
        self.n_heads, self.unit = n_heads, unit
        self.qkv, self.out = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self._begin_near(dim)

    def forward(
        self,
        x: Float[Tensor, "batch token dim"],
        mask: Bool[Tensor, "batch token"] | None = None,
        time: Float[Tensor, "batch token"] | None = None,
    ) -> Float[Tensor, "batch token dim"]:
        query, key, value = (
            self.qkv(x).unflatten(-1, (3, self.n_heads, -1)).permute(2, 0, 3, 1, 4)
        )  # [batch, head, token, _]
        if time is not None:
            query, key = (turned(part, time[:, None], self.unit) for part in (query, key))
        seen = None if mask is None else (mask | ~mask.any(1, keepdim=True))[:, None, None]  # [batch, 1, 1, token]
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=seen)
        return self.out(mixed.transpose(1, 2).flatten(2))

    def _begin_near(self, dim: int) -> None:
        """First weights with which masked reconstruction soon finds out which tokens are near: docs/log.md, 2026-11-24."""
        with torch.no_grad():
            self.qkv.weight[:dim] *= 2
            self.qkv.weight[dim : 2 * dim] = self.qkv.weight[:dim]
            # a constant part of query and key, turned by their times, agrees most where these are the same
            drawn = (torch.arange(dim) // (dim // self.n_heads) % 2 == 0).to(self.qkv.bias)
            self.qkv.bias[:dim], self.qkv.bias[dim : 2 * dim] = drawn, drawn


def turned(
    x: Float[Tensor, "*rows token dim"], time: Float[Tensor, "*rows2 token"], unit: float
) -> Float[Tensor, "*rows token dim"]:
    """Turns pairs of dimensions by the time of each token, with wavelengths from 2 to 32 units."""
    n = x.shape[-1] // 2
    waves = 2 * torch.pi / (2 * unit * 16 ** torch.linspace(0, 1, n, device=x.device, dtype=x.dtype))
    angle = time[..., None] * waves  # [*rows, token, pair]
    one, other = x[..., :n], x[..., n:]
    return torch.cat([one * angle.cos() - other * angle.sin(), one * angle.sin() + other * angle.cos()], -1)


class Block(nn.Module):
    """Attention, then a two-layer network on each token, both added to what they are given its norm of.

    Reference: Xiong et al. 2020, https://arxiv.org/abs/2002.04745 (pre-norm).
    """

    def __init__(self, dim: int, n_heads: int, dropout: float = 0.0, expansion: int = 4, unit: float = 1.0) -> None:
        super().__init__()
        self.attention, self.dropout = SelfAttention(dim, n_heads, unit), nn.Dropout(dropout)
        self.norms = nn.ModuleList([nn.LayerNorm(dim), nn.LayerNorm(dim)])
        self.network = nn.Sequential(nn.Linear(dim, expansion * dim), nn.GELU(), nn.Linear(expansion * dim, dim))

    def forward(
        self,
        x: Float[Tensor, "batch token dim"],
        mask: Bool[Tensor, "batch token"] | None = None,
        time: Float[Tensor, "batch token"] | None = None,
    ) -> Float[Tensor, "batch token dim"]:
        x = x + self.dropout(self.attention(self.norms[0](x), mask, time))
        return x + self.dropout(self.network(self.norms[1](x)))
