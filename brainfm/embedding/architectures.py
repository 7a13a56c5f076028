"""Architectures by their published names: which encoder, and how many samples it sees."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from brainfm.encoders.base import Encoder
from brainfm.encoders.halved_offset import HalvedOffset
from brainfm.encoders.offset import Offset
from brainfm.encoders.offset1 import Offset1
from brainfm.encoders.subsampled_offset import SubsampledOffset

_LENGTHS = (5, 10, 15, 20, 36, 40, 50)
_BOUNDS = (1000, 100, 50, 25, 20, 15, 10, 5, 1)


@dataclass(frozen=True)
class Architecture:
    """An encoder class, its settings, and the samples of its window."""

    make: Callable[..., Encoder]
    n_times: int
    options: dict[str, Any] = field(default_factory=dict)

    def build(self, n_chans: int, **sizes: Any) -> Encoder:
        """The encoder for that many channels; `dim` and `hidden` reach those that take them."""
        taken = inspect.signature(self.make).parameters
        facts = {"n_chans": n_chans, "n_times": self.n_times, **sizes, **self.options}
        return self.make(**{name: value for name, value in facts.items() if name in taken})


def architecture(name: str | Callable[..., Encoder], n_times: int | None = None) -> Architecture:
    """The architecture of that name, such as offset10-model; or any encoder class, with the length of its window."""
    if not isinstance(name, str):
        if n_times is None:
            raise ValueError("a model_architecture of your own needs n_times, the samples of a window: give n_times=10")
        return Architecture(name, n_times)
    known = published()
    if name not in known:
        near = get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"take one such as {', '.join(list(known)[:8])}"
        raise ValueError(f"model_architecture {name!r} is not known: {hint}")
    return known[name]


def published() -> dict[str, Architecture]:
    """Every name of the published package, and offset<n>-model for any other n from 4 on is built by Offset itself."""
    found = {f"offset{n}-model": Architecture(Offset, n) for n in _LENGTHS}
    found |= {f"offset1-model{tail}": Architecture(Offset1, 1, {"variant": v}) for tail, v in _POINTWISE.items()}
    plain: dict[str, Any] = {"normalise": False}
    found |= {"offset10-model-mse": Architecture(Offset, 10, plain)}
    found |= {"offset10-model-mse-tanh": Architecture(Offset, 10, plain | {"output": "tanh"})}
    found |= {"offset36-model-dropout": Architecture(Offset, 36, {"dropout": 0.1})}
    found |= {"offset36-model-more-dropout": Architecture(Offset, 36, {"dropout": 0.1, "skip_dropout": 0.1})}
    found |= {"offset40-model-4x-subsample": Architecture(SubsampledOffset, 40)}
    found |= {"offset20-model-4x-subsample": Architecture(SubsampledOffset, 20)}
    found |= {"offset4-model-2x-subsample": Architecture(HalvedOffset, 4)}
    return found | _for_euclidean_losses()


_POINTWISE = {"": "v1", "-v2": "v2", "-v3": "v3", "-v4": "v4", "-v5": "v5", "-mse": "mse"}


def _for_euclidean_losses() -> dict[str, Architecture]:
    found = {"offset1-model-mse-tanh": Architecture(Offset1, 1, {"variant": "mse", "output": "tanh"})}
    for low in _BOUNDS:
        for high in _BOUNDS:
            options = {"variant": "mse", "output": f"clip:-{low},{high}"}
            found[f"offset1-model-mse-clip-{low}-{high}"] = Architecture(Offset1, 1, options)
    for variant, n_layers in ((v, n) for v in ("mse-v2", "resnet") for n in range(1, 11)):
        name = f"offset1-model-{re.sub('^resnet', 'mse-resnet', variant)}-{n_layers}layers"
        options = {"variant": variant, "n_layers": n_layers}
        found |= {
            name: Architecture(Offset1, 1, options),
            f"{name}-tanh": Architecture(Offset1, 1, options | {"output": "tanh"}),
        }
    return found
