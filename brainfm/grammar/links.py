"""Links: what the data, the trainer or the optimizer determine is filled in, and a contradiction is refused."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from brainfm.grammar.nearest import RecipeError


def linked(
    values: Mapping[str, Any], facts: Mapping[str, Any], taken: Mapping[str, Any], where: str, source: str
) -> dict[str, Any]:
    """The facts that a signature takes, by name. Raises RecipeError where the recipe states another value.

    >>> linked({"depth": 2}, {"n_chans": 21, "sfreq": 250.0}, {"n_chans": ..., "depth": ...}, "encoder", "the data")
    {'n_chans': 21}
    """
    found = {name: plain(value) for name, value in facts.items() if name in taken and value is not None}
    for name, value in found.items():
        stated = values.get(name)
        if stated is not None and not same(stated, value):
            told = f"{where}.{name} is {stated!r}, but {source} has {name} {shown(value)}"
            raise RecipeError(f"{told}: leave {name} out, it is filled in, or change {source}")
    return found


def without(part: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    """The part without the arguments that are linked, so that they are linked anew."""
    kept = {key: value for key, value in (part.get("init_args") or {}).items() if key not in names}
    return {**part, "init_args": kept}


def same(stated: Any, fact: Any) -> bool:
    """Equal as YAML writes it; numbers up to rounding, NaN to NaN."""
    try:
        one, other = np.asarray(stated, float), np.asarray(fact, float)
    except (ValueError, TypeError):
        return plain(stated) == plain(fact)
    return one.shape == other.shape and np.allclose(one, other, rtol=1e-6, atol=0, equal_nan=True)


def plain(value: Any) -> Any:
    """Arrays and tuples as lists, numpy scalars as numbers."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return plain(value.tolist()) if hasattr(value, "tolist") else value


def shown(value: Any) -> str:
    """A fact for an error: long lists are cut."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
