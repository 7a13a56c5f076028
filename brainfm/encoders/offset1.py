"""Offset1: a small network on single samples, for contrastive embeddings without a receptive field."""

from __future__ import annotations

from typing import Literal

from torch import nn

from brainfm.encoders.base import Encoder, take_signal, time_tokens
from brainfm.nn.offset import Residual, last_layer, unit_length
from data_loaders.contracts import Batch, Tokens

Variant = Literal["v1", "v2", "v3", "v4", "v5", "mse", "mse-v2", "resnet"]


class Offset1(Encoder):
    """One token per sample of the window.

    `variant` names the published networks: `v1` (offset1-model), `v2` (wider), `v3` to `v5` (residual), `mse`
    (offset1-model-mse, whose widths follow `dim`), `mse-v2` and `resnet` (`n_layers` in between). The published code uses
    one layer `n_layers` times; here each has weights of its own, and `compat="paper"` shares them. Unit vectors come from
    `normalise`, by default for v1 to v5. Reference: Schneider, Lee and Mathis 2023, Methods.
    """

    def __init__(
        self,
        n_chans: int,
        dim: int = 8,
        hidden: int = 32,
        variant: Variant = "v1",
        normalise: bool | None = None,
        output: str = "none",
        n_layers: int = 1,
        compat: Literal["paper"] | None = None,
    ) -> None:
        super().__init__()
        self.n_chans, self.dim = n_chans, dim
        self.normalise = variant.startswith("v") if normalise is None else normalise
        self.net = _net(n_chans, dim, hidden, variant, _repeats(n_layers, compat), output)

    def forward(self, batch: Batch) -> Tokens:
        features = self.net(take_signal(batch, self.n_chans).mT)  # [batch, token, dim]
        return time_tokens(unit_length(features) if self.normalise else features)


def _repeats(n_layers: int, compat: str | None) -> tuple[int, bool]:
    if n_layers < 1:
        raise ValueError(f"n_layers is {n_layers}, expected at least 1")
    return n_layers, compat == "paper"


def _net(n_chans: int, dim: int, hidden: int, variant: Variant, repeats: tuple[int, bool], last: str) -> nn.Sequential:
    # the identity stands where the published network flattens, so that the layers have the same numbers
    if variant in ("v3", "v4", "v5"):
        return nn.Sequential(nn.Identity(), *_residual(n_chans, dim, hidden, variant), last_layer(last))
    if variant in ("mse-v2", "resnet"):
        return nn.Sequential(nn.Identity(), *_repeated(n_chans, dim, hidden, variant, *repeats), last_layer(last))
    widths = {
        "v1": (hidden, hidden, hidden // 2),
        "v2": (hidden, hidden, hidden),
        "mse": (30 * dim, 30 * dim, 10 * dim),
    }[variant]
    layers = [
        layer
        for before, after in zip((n_chans, *widths), widths, strict=False)
        for layer in (nn.Linear(before, after), nn.GELU())
    ]
    return nn.Sequential(nn.Identity(), *layers, nn.Linear(widths[-1], dim), last_layer(last))


def _residual(n_chans: int, dim: int, hidden: int, variant: str) -> list[nn.Module]:
    blocks: list[nn.Module] = []
    for _ in range(2 if variant == "v3" else 4):
        linear = nn.Linear(hidden, hidden)
        if variant == "v4":
            blocks.append(Residual(nn.Sequential(linear, nn.GELU())))
        else:
            blocks += [Residual(nn.Sequential(linear)), nn.GELU()]
    return [nn.Linear(n_chans, hidden), nn.GELU(), *blocks, nn.Linear(hidden, dim)]


def _repeated(n_chans: int, dim: int, hidden: int, variant: str, n_layers: int, shared: bool) -> list[nn.Module]:
    def layer(before: int, after: int) -> nn.Module:
        return Residual(nn.Linear(before, after)) if variant == "resnet" else nn.Linear(before, after)

    same = layer(hidden, hidden)
    middle = [same if shared else layer(hidden, hidden) for _ in range(n_layers)]
    layers = [layer(n_chans, hidden), *middle, layer(hidden, hidden // 2)]
    return [module for one in layers for module in (one, nn.GELU())] + [nn.Linear(hidden // 2, dim)]
