"""How an architecture of one's own is named in a saved model, and found again."""

from __future__ import annotations

from collections.abc import Callable

from brainfm.encoders.base import Encoder
from brainfm.grammar.locate import located_class


def spoken(model: str | Callable[..., Encoder]) -> str:
    """Its published name, or the dotted path of its class. Raises ValueError for a function."""
    if isinstance(model, str):
        return model
    if not isinstance(model, type) or "<locals>" in model.__qualname__:
        raise ValueError(
            "model_architecture is a function, which no file can hold: save the model with a class of a module"
        )
    return f"{model.__module__}.{model.__qualname__}"


def found(name: str) -> str | type[Encoder]:
    """What `spoken` named."""
    return located_class(name, "model_architecture") if "." in name else name
