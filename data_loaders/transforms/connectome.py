"""Connectomes: a scan of regions becomes one row of correlations."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from data_loaders.transforms.base import SignalInfo, Transform


class Connectome(Transform):
    """Pearson correlation of every pair of channels over the window, Fisher z-transformed: [edge, 1].

    Edges are the upper triangle, row by row, and are named `first~second`. A constant channel has correlation 0.
    """

    causal = False

    def plan(self, info: SignalInfo) -> SignalInfo:
        first, second = np.triu_indices(len(info.ch_names), 1)
        names = tuple(f"{info.ch_names[i]}~{info.ch_names[j]}" for i, j in zip(first, second, strict=True))
        nowhere = np.full((len(names), 3), np.nan)
        return replace(
            info, ch_names=names, ch_types=("edge",) * len(names), ch_positions=nowhere, bads=(), ch_columns={}
        )

    def step(
        self, chunk: Float[ndarray, "channel time"], info: SignalInfo, carry: Any = None
    ) -> tuple[Float[ndarray, "edge 1"], Any]:
        centred = chunk - chunk.mean(axis=1, keepdims=True)
        norm = np.linalg.norm(centred, axis=1, keepdims=True)
        unit = np.divide(centred, norm, out=np.zeros_like(centred), where=norm > 0)
        r = (unit @ unit.T)[np.triu_indices(len(chunk), 1)]
        # a correlation of exactly 1 has an infinite z: a copied channel must not poison the batch
        return np.arctanh(np.clip(r, -0.999999, 0.999999))[:, None].astype(np.float32), None
