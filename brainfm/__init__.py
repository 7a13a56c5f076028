"""brainfm: from recordings of brains to trained models and honest numbers."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from brainfm.contrastive import Contrastive
    from brainfm.estimators import Decoder, DecoderRegressor
    from brainfm.recipe import Recipe
    from data_loaders.store import Store

__all__ = ["Contrastive", "Decoder", "DecoderRegressor", "Recipe", "Store"]

# imported when first used: `import brainfm` costs nothing
_HOMES = {
    "Contrastive": "brainfm.contrastive",
    "Decoder": "brainfm.estimators",
    "DecoderRegressor": "brainfm.estimators",
    "Recipe": "brainfm.recipe",
    "Store": "data_loaders.store",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"brainfm has no {name!r}: it exports {', '.join(__all__)}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
