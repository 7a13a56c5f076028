"""Which units or cells come in: by quality, by rate, by region, by any column of theirs.

In a sidecar, as an option of `brainfm prepare --keep`, or under `prepare` in a recipe:

    keep: {quality: [good, mua], rate: {min: 0.5}, region: [CA1, "DG*"]}

A list (or one word) names values, `*` standing for anything; `{min, max}` bounds numbers, both ends included. `rate` is in
spikes per second over the segments. Every column of the file can be asked; each condition prints how many it left.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
from jaxtyping import Bool, Int
from numpy import ndarray


def chosen(
    keep: Mapping[str, Any], columns: Mapping[str, tuple[Any, ...]], n: int, what: str, source: str, told: list[str]
) -> Int[ndarray, "kept"]:
    """The indices that meet every condition. Raises ValueError for a column that is not there, and where none are left."""
    left = np.full(n, True)
    for name, asked in keep.items():
        if name not in columns:
            near = (difflib.get_close_matches(str(name), columns, 1, 0.0) or ["a column"])[0]
            raise ValueError(
                f"{source}: keep asks for {name!r}, but the {what} have the columns {sorted(columns)}: write {near}"
            )
        met = _met(asked, columns[name], name, source)
        told.append(f"keep {name} {_said(asked)}: {int(met.sum())} of {n} {what}")
        left &= met
    if n and not left.any():
        seen = {name: sorted(set(map(str, columns[name])))[:8] for name in keep}
        raise ValueError(f"{source}: keep {dict(keep)} leaves none of {n} {what}; these have {seen}: widen it")
    return np.flatnonzero(left)


def _met(asked: Any, column: tuple[Any, ...], name: str, source: str) -> Bool[ndarray, "all"]:
    if not isinstance(asked, Mapping):
        patterns = [_text(value) for value in (asked if isinstance(asked, list | tuple) else [asked])]
        return np.array([any(fnmatchcase(_text(value), p) for p in patterns) for value in column], dtype=bool)
    if not asked or not set(asked) <= {"min", "max"}:
        raise ValueError(f"{source}: keep has {name}: {dict(asked)}, expected a list of values or {{min: A, max: B}}")
    try:
        values = np.array(column, dtype=float)
    except ValueError:
        raise ValueError(
            f"{source}: keep bounds {name}, which holds text ({column[0]!r}): list the values to keep"
        ) from None
    return (values >= float(asked.get("min", -np.inf))) & (values <= float(asked.get("max", np.inf)))


def _text(value: Any) -> str:
    """A whole number is written without its point, truth as 1 or 0."""
    if isinstance(value, bool | np.bool_):
        return str(int(value))
    return str(int(value)) if isinstance(value, float | np.floating) and float(value).is_integer() else str(value)


def _said(asked: Any) -> str:
    if not isinstance(asked, Mapping):
        return "in " + ", ".join(map(str, asked)) if isinstance(asked, list | tuple) else str(asked)
    ends = (("min", "at least"), ("max", "at most"))
    return " and ".join(f"{words} {asked[end]:g}" for end, words in ends if end in asked)
