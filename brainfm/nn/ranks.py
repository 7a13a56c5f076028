"""What the ranks of a training know together: the rows of all, and what a mean over some rows counts among all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
import torch.distributed as dist
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

_APART = ContextVar("apart", default=False)


def n_ranks() -> int:
    """How many processes compute a loss together."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() and not _APART.get() else 1


@contextmanager
def apart() -> Iterator[None]:
    """What is computed inside is this process's alone: the others, who judge nothing, would never answer."""
    before = _APART.set(True)
    try:
        yield
    finally:
        _APART.reset(before)


def among_ranks(weight: Tensor, n_rows: int) -> Tensor | float:
    """By how much a mean over this rank's rows, weighted by `weight` in all, is to be multiplied.

    The mean over ranks, each counted by its rows, is then the weighted mean over the rows of all. 1 without other ranks.
    """
    if n_ranks() == 1:
        return 1.0
    own = torch.stack([weight.detach().float(), torch.tensor(float(n_rows), device=weight.device)])
    every = own.clone()
    dist.all_reduce(every)
    return (own[0] / every[0]) * (every[1] / own[1])


def gathered(rows: Float[Tensor, "item dim"]) -> Float[Tensor, "all dim"]:
    """The rows of all ranks, through which gradients flow back to the rank that each came from."""
    if n_ranks() == 1:
        return rows
    # batches to train on divide by the ranks; the last one of a validation part may not
    return _Gather.apply(rows) if torch.is_grad_enabled() else _of_any_length(rows)  # type: ignore[return-value]


def _of_any_length(rows: Float[Tensor, "item dim"]) -> Float[Tensor, "all dim"]:
    own = torch.tensor([len(rows)], device=rows.device)
    lengths = [int(length) for length in _all_gathered(own)]
    padded = F.pad(rows, (0, 0, 0, max(lengths) - len(rows)))
    return torch.cat([part[:length] for part, length in zip(_all_gathered(padded), lengths, strict=True)])


def _all_gathered(rows: Tensor) -> list[Tensor]:
    parts = [torch.empty_like(rows) for _ in range(n_ranks())]
    dist.all_gather(parts, rows.contiguous())
    return parts


class _Gather(torch.autograd.Function):
    """All ranks' rows; what other ranks' losses say of ours is summed on the way back."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        return torch.cat(_all_gathered(rows))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        whole = gradients[0].contiguous()
        dist.all_reduce(whole)
        return whole.chunk(n_ranks())[dist.get_rank()]
