"""Alignment of modalities: what belongs to one window lies together, whatever it is seen through."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from brainfm.nn.ranks import gathered


def alignment(
    features: Sequence[Float[Tensor, "batch dim"]], temperature: Tensor | float, symmetric: bool = True
) -> Float[Tensor, ""]:
    """InfoNCE between each pair of modalities, averaged over pairs: row i of one belongs to row i of the other.

    Cosine similarities are divided by `temperature`. `symmetric` looks from both sides (Radford et al. 2021, figure 3);
    else, as the Neuroformer's released code does, from the first of each pair only. Rows are those of all ranks, so that the
    loss does not depend on their number.
    """
    pairs = list(combinations([gathered(F.normalize(f, dim=-1)) for f in features], 2))
    return torch.stack([_pair(one, other, temperature, symmetric) for one, other in pairs]).mean()


def _pair(one: Tensor, other: Tensor, temperature: Tensor | float, symmetric: bool) -> Tensor:
    similarity = one @ other.mT / temperature
    own = torch.arange(len(one), device=one.device)
    forth = F.cross_entropy(similarity, own)
    return (forth + F.cross_entropy(similarity.mT, own)) / 2 if symmetric else forth
