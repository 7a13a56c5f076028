"""Laplacian derivations: each contact less the mean of its nearest neighbours."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from data_loaders import shafts
from data_loaders.transforms.base import SignalInfo, Transform


class Laplacian(Transform):
    """Subtracts from each contact of `types` the mean of its neighbours; other channels stay as they are.

    `by="name"`: the contacts before and after it on its electrode (two on a shaft, one at its ends). `by="position"`: the
    `n_neighbours` nearest good ones of its type within `radius` metres, for grids, and for scalp EEG (`types: [eeg]`,
    `radius: 0.08`). A contact without a neighbour is dropped, with a printed line. Names and positions stay.

    Reference: Hjorth 1975, Electroenceph. clin. Neurophysiol. 39:526; Li et al. 2018, NeuroImage 183:327.
    """

    def __init__(
        self, by: str = "name", types: list[str] | None = None, n_neighbours: int = 4, radius: float = 0.015
    ) -> None:
        if by not in ("name", "position"):
            raise ValueError(f"by is {by!r}, expected name (along the electrode) or position (nearest in space)")
        self.by, self.n_neighbours, self.radius = by, n_neighbours, radius
        self.types = list(shafts.INTRACRANIAL) if types is None else types
        self._made: dict[Any, tuple[list[int], ndarray]] = {}

    def plan(self, info: SignalInfo) -> SignalInfo:
        return info.pick(self._operator(info)[0])

    def step(
        self, chunk: Float[ndarray, "channel time"], info: SignalInfo, carry: Any = None
    ) -> tuple[Float[ndarray, "out_channel time"], Any]:
        return (self._operator(info)[1] @ chunk).astype(chunk.dtype), None

    def _operator(self, info: SignalInfo) -> tuple[list[int], Float[ndarray, "out_channel channel"]]:
        """The channels that are left, and the matrix that makes them; made once per set of channels."""
        key = (info.ch_names, info.ch_types, info.bads, info.ch_positions.tobytes(), info.ch_columns.get("group"))
        if key not in self._made:
            self._made[key] = self._new(info)
        return self._made[key]

    def _new(self, info: SignalInfo) -> tuple[list[int], ndarray]:
        around = self._by_name(info) if self.by == "name" else self._by_position(info)
        others = [c for c, kind in enumerate(info.ch_types) if kind not in self.types]
        left = sorted([*others, *around])
        if not around:
            raise ValueError(
                f"Laplacian(by={self.by!r}) finds no neighbours among {list(info.ch_names[:12])}: " + self._repair(info)
            )
        dropped = [name for c, name in enumerate(info.ch_names) if c not in left]
        if dropped:
            print(
                f"Laplacian: {len(dropped)} contacts have no good neighbour and are dropped: {', '.join(dropped[:8])}"
            )
        matrix = np.eye(len(info.ch_names))
        for channel, others in around.items():
            matrix[channel, others] -= 1 / len(others)
        return left, matrix[left]

    def _by_name(self, info: SignalInfo) -> dict[int, list[int]]:
        around: dict[int, list[int]] = {}
        for a, b in shafts.neighbours(info, self.types):
            around.setdefault(a, []).append(b)
            around.setdefault(b, []).append(a)
        return around

    def _by_position(self, info: SignalInfo) -> dict[int, list[int]]:
        where = np.asarray(info.ch_positions, dtype=float)
        placed = [
            c
            for c, (kind, name) in enumerate(zip(info.ch_types, info.ch_names, strict=True))
            if kind in self.types and name not in info.bads and np.isfinite(where[c]).all()
        ]
        around = {}
        for c in placed:
            same = [o for o in placed if o != c and info.ch_types[o] == info.ch_types[c]]
            near = sorted((float(np.linalg.norm(where[o] - where[c])), o) for o in same)[: self.n_neighbours]
            if near := [o for distance, o in near if distance <= self.radius]:
                around[c] = near
        return around

    def _repair(self, info: SignalInfo) -> str:
        if self.by == "name":
            return f"contacts of types {self.types} are called A1, A2, ..., or the column `group` says their electrode"
        return f"raise radius from {self.radius:g} m, or take by=name where positions are unknown"
