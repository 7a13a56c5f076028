"""Any model of the installed braindecode as an encoder."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn

from brainfm.encoders.base import Encoder, one_token, take_signal
from data_loaders.contracts import Batch, Tokens


class Braindecode(Encoder):
    """The features that a braindecode model hands to its `final_layer`, flattened into one token.

    The model's own final layer is taken out: the head belongs to the objective, so that with `Classification` the whole
    is the model with a linear classifier. `model` is its class name, such as `Deep4Net`; `init` holds further arguments
    of its constructor. Sizes, and channels in braindecode's `chs_info` where the model requires them, come from the data.
    """

    def __init__(
        self,
        model: str,
        n_chans: int,
        n_times: int,
        sfreq: float | None = None,
        ch_names: Sequence[str] | None = None,
        ch_types: Sequence[str] | None = None,
        init: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.n_chans, self.n_times = n_chans, n_times
        build = _model_class(model)
        known = {"n_chans": n_chans, "n_times": n_times, "sfreq": sfreq, "n_outputs": 2}
        known |= _channels(build, ch_names, ch_types)
        self.model = build(**_taken(build, known, init or {}))
        if not _learns(getattr(self.model, "final_layer", None)):
            raise ValueError(
                f"braindecode's {model} has no final_layer that classifies its features: choose another model"
            )
        self.model.final_layer = _Flattened()
        self.dim = self._width(model)

    def forward(self, batch: Batch) -> Tokens:
        return one_token(self.model(take_signal(batch, self.n_chans, self.n_times)))

    def _width(self, name: str) -> int:
        """The number of features, found by a window of zeros."""
        self.model.eval()
        try:
            with torch.no_grad():
                features = self.model(torch.zeros(2, self.n_chans, self.n_times))
        except (TypeError, ValueError, RuntimeError, IndexError) as error:
            raise ValueError(
                f"braindecode's {name} without its final_layer does not run on {self.n_chans} channels of {self.n_times} "
                f"samples ({error}): mend that in init, or choose another model"
            ) from error
        self.model.train()
        if not isinstance(features, Tensor) or features.ndim != 2:
            raise ValueError(
                f"braindecode's {name} goes on after its final_layer, so no features can be taken: choose another model"
            )
        return features.shape[1]


def _learns(layer: Any) -> bool:
    """Whether there is something to take out: an identity at the end would leave the classifier before it."""
    return isinstance(layer, nn.Module) and any(True for _ in layer.parameters())


class _Flattened(nn.Module):
    """In the place of a final layer: what it is given, as one row per window; further arguments are let go."""

    def forward(self, features: Tensor, *unused: Any, **unused_too: Any) -> Tensor:
        return features.flatten(1)


def _model_class(name: str) -> type[nn.Module]:
    try:
        models = import_module("braindecode.models")
    except (ImportError, OSError) as error:
        raise ImportError(f"braindecode cannot be imported ({error}): pip install 'brainfm[braindecode]'") from error
    names = [key for key, value in vars(models).items() if inspect.isclass(value) and issubclass(value, nn.Module)]
    if name not in names:
        near = get_close_matches(name, names, n=3, cutoff=0.4) or sorted(names)
        raise ValueError(f"braindecode has no model {name!r}: nearest are {', '.join(near)}")
    return getattr(models, name)


def _taken(build: type[nn.Module], known: Mapping[str, Any], init: Mapping[str, Any]) -> dict[str, Any]:
    """What the constructor accepts of what the data know, then what the recipe states."""
    accepted = inspect.signature(build).parameters
    unknown = sorted(set(init) - set(accepted))
    if unknown:
        raise ValueError(f"{build.__name__} takes no argument {unknown[0]!r}: it takes {', '.join(accepted)}")
    return {name: value for name, value in known.items() if name in accepted and value is not None} | dict(init)


def _channels(build: type[nn.Module], names: Sequence[str] | None, types: Sequence[str] | None) -> dict[str, Any]:
    """`chs_info` as braindecode writes it, from the names of the data."""
    if names is None:
        return {}
    kinds = types or ["eeg"] * len(names)
    return {"chs_info": [{"ch_name": name, "kind": kind} for name, kind in zip(names, kinds, strict=True)]}
