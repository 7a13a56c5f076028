"""Bipolar derivations: the difference of neighbouring contacts of one electrode."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from data_loaders import shafts
from data_loaders.transforms.base import SignalInfo, Transform


class Bipolar(Transform):
    """A1-A2, A2-A3, ... along each shaft, strip or row of a grid, for channels of `types`; others stay as they are, in front.

    Which electrode a contact is on stands in the column `group`, else in its name (everything before the number). Only
    consecutive good contacts make a pair; a contact in no pair is dropped, with a printed line. A pair sits midway between its
    contacts; columns that agree are kept, texts that differ are joined by `/`. Filters commute with it, so continuous ones
    go before.

    Reference: Li et al. 2018, NeuroImage 183:327, https://doi.org/10.1016/j.neuroimage.2018.08.020
    """

    def __init__(self, types: list[str] | None = None) -> None:
        self.types = list(shafts.INTRACRANIAL) if types is None else types
        self._told: set[tuple[str, ...]] = set()

    def plan(self, info: SignalInfo) -> SignalInfo:
        others, pairs = self._parts(info)
        kept = info.pick(others)
        names = tuple(f"{info.ch_names[a]}-{info.ch_names[b]}" for a, b in pairs)
        middle = np.array([(info.ch_positions[a] + info.ch_positions[b]) / 2 for a, b in pairs]).reshape(-1, 3)
        return replace(
            kept,
            ch_names=kept.ch_names + names,
            ch_types=kept.ch_types + tuple(info.ch_types[a] for a, _ in pairs),
            ch_positions=np.concatenate([kept.ch_positions, middle]),
            ch_columns={
                name: kept.ch_columns[name] + tuple(_joined(column[a], column[b]) for a, b in pairs)
                for name, column in info.ch_columns.items()
            },
        )

    def step(
        self, chunk: Float[ndarray, "channel time"], info: SignalInfo, carry: Any = None
    ) -> tuple[Float[ndarray, "out_channel time"], Any]:
        others, pairs = self._parts(info)
        first, second = np.array(pairs).T
        return np.concatenate([chunk[others], chunk[first] - chunk[second]]), None

    def _parts(self, info: SignalInfo) -> tuple[list[int], list[tuple[int, int]]]:
        """The channels that stay, and the pairs. Raises ValueError where no two contacts are neighbours."""
        pairs = shafts.neighbours(info, self.types)
        if not pairs:
            found = {name: [n for n, _ in contacts] for name, contacts in shafts.shafts(info, self.types).items()}
            raise ValueError(
                f"Bipolar finds no two neighbouring contacts of types {self.types} among {list(info.ch_names[:12])} (electrodes and "
                f"numbers: {found}): contacts are called A1, A2, ..., or the column `group` says which electrode they are on"
            )
        others = [c for c, kind in enumerate(info.ch_types) if kind not in self.types]
        self._tell(info, {c for pair in pairs for c in pair} | set(others))
        return others, pairs

    def _tell(self, info: SignalInfo, used: set[int]) -> None:
        dropped: Sequence[str] = [name for c, name in enumerate(info.ch_names) if c not in used]
        if dropped and info.ch_names not in self._told:
            print(f"Bipolar: {len(dropped)} contacts have no good neighbour and are dropped: {', '.join(dropped[:8])}")
        self._told.add(info.ch_names)


def _joined(a: Any, b: Any) -> Any:
    """A column's value for a pair: texts that differ are joined, of numbers the mean is taken."""
    if isinstance(a, str) or isinstance(b, str):
        return a if a == b else "/".join(str(value) for value in (a, b) if value not in ("", None))
    return (a + b) / 2
