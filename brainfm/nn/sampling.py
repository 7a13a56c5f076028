"""Drawing the next token: temperature, the k likeliest, the nucleus, or simply the likeliest."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True)
class Sampling:
    """How a token is drawn from its logits: divided by `temperature`, cut to `top_k` and to the nucleus `top_p`, or `greedy`.

    The nucleus is the smallest set of likeliest tokens that together have a probability of `top_p` (Holtzman et al. 2020,
    https://arxiv.org/abs/1904.09751, section 3.1).
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    greedy: bool = False

    def __post_init__(self) -> None:
        if self.temperature <= 0:
            raise ValueError(
                f"temperature is {self.temperature:g}, expected above 0: for the likeliest token set greedy"
            )
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise ValueError(f"top_p is {self.top_p:g}, expected a probability in (0, 1], such as 0.95")
        if self.top_k is not None and self.top_k < 1:
            raise ValueError(f"top_k is {self.top_k}, expected at least 1")

    def probabilities(self, logits: Float[Tensor, "*batch token"]) -> Float[Tensor, "*batch token"]:
        """What tokens are drawn from."""
        scaled = logits / self.temperature
        if self.top_k is not None and self.top_k < logits.shape[-1]:
            least = scaled.topk(self.top_k, dim=-1).values[..., -1:]
            scaled = scaled.masked_fill(scaled < least, -torch.inf)
        chance = scaled.softmax(-1)
        return chance if self.top_p is None else _nucleus(chance, self.top_p)

    def draw(
        self, logits: Float[Tensor, "batch token"], generator: torch.Generator | None = None
    ) -> Int[Tensor, "batch"]:
        """One token for each row."""
        if self.greedy:
            return logits.argmax(-1)
        return torch.multinomial(self.probabilities(logits), 1, generator=generator)[:, 0]


def _nucleus(chance: Float[Tensor, "*batch token"], top_p: float) -> Float[Tensor, "*batch token"]:
    ordered, order = chance.sort(-1, descending=True)
    # a token stays where those before it have not yet filled the nucleus
    stays = (ordered.cumsum(-1) - ordered) < top_p
    kept = torch.zeros_like(chance).scatter(-1, order, ordered * stays)
    return kept / kept.sum(-1, keepdim=True)
