"""Whom a model of spikes looks at when it says who fires next: a coupling of every unit to every other, from attention."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from brainfm.nn.decoder import Attention, Memory
from data_loaders.contracts import Batch


@dataclass(frozen=True)
class Attended:
    """Two readings of attention, each [pre, post], by units of one session.

    `looked`: how much of the attention went to spikes of `pre` where `post` fired next, beyond what went to them whoever
    did (the paper's reading, with the marginal taken off). `through`: what spikes of `pre` add to the logit of `post`:
    attention times what the values write, read by the head as if no layer followed (Elhage et al. 2021, "A mathematical
    framework for transformer circuits": OV circuits), less its mean over `post`, which a softmax does not see.
    """

    looked: Float[Tensor, "pre post"]
    through: Float[Tensor, "pre post"]


@torch.no_grad()
def attended(objective: Any, batches: Iterable[Batch]) -> Attended:
    """Sums over batches of one session; `objective` is a SpikePrediction with a Neuroformer."""
    encoder = objective.encoder
    n = encoder.current.n_ids
    sums = {name: torch.zeros(n, n) for name in ("looked", "through")}
    fired, followed = torch.zeros(n), torch.zeros(n)
    for batch in batches:
        vectors = objective.units.of(batch.session_id)[0]
        current = encoder.read(batch)
        past = encoder.recall(batch)
        after = F.one_hot(torch.where(current.mask[:, 1:], current.id[:, 1:], encoder.current.pad), n).float()
        with _recorded(encoder) as seen:
            encoder.decode(current.id[:, :-1], current.step[:, :-1], batch.session_id, encoder.context(batch))
        for layer, x, memory, causal in seen:
            source = current.id[:, :-1] if causal else past.id
            _add(
                sums,
                layer,
                x,
                memory,
                causal,
                F.one_hot(source, n).float(),
                after,
                current.mask[:, 1:],
                vectors,
            )
        followed += after.sum((0, 1))
        for ids in (current.id[:, :-1], past.id):
            fired += torch.bincount(ids.flatten(), minlength=n).float()
    units = slice(0, encoder.current.n_units)
    looked = sums["looked"] / followed.clamp(min=1) - (sums["looked"].sum(1) / followed.sum())[:, None]
    through = sums["through"] / fired.clamp(min=1)[:, None]
    through = through[units, units] - through[units, units].mean(1, keepdim=True)
    return Attended(looked[units, units] / fired[units, None].clamp(min=1), through)


def _add(
    sums: dict[str, Tensor],
    layer: Attention,
    x: Float[Tensor, "batch query dim"],
    memory: Memory,
    causal: bool,
    source: Float[Tensor, "batch seen id"],
    after: Float[Tensor, "batch query id"],
    real: Tensor,
    vectors: Float[Tensor, "id dim"],
) -> None:
    weights = layer.weights(x, memory, causal) * real[:, None, :, None]  # [batch, head, query, seen]
    sums["looked"] += torch.einsum("bqs,bsp,bqn->pn", weights.mean(1), source, after)
    out = layer.out.weight.unflatten(1, (layer.n_heads, -1))  # [dim, head, width]
    reads = torch.einsum("nd,dhw->hnw", vectors, out)
    written = torch.einsum("bhsw,hnw,bhs->bsn", memory.value, reads, weights.sum(2))
    sums["through"] += torch.einsum("bsp,bsn->pn", source, written)


@contextmanager
def _recorded(encoder: Any) -> Iterator[list[tuple[Attention, Tensor, Memory, bool]]]:
    """What each layer that looks at spikes was given, while the model runs."""
    seen: list[tuple[Attention, Tensor, Memory, bool]] = []

    def keep(layer: nn.Module, arguments: tuple[Any, ...]) -> None:
        x, memory, causal = arguments
        assert isinstance(layer, Attention)
        seen.append((layer, x, memory, causal))

    stacks = (*encoder.reading, *encoder.history, *encoder.writing)
    hooks = [block.attention.register_forward_pre_hook(keep) for block in stacks]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()
