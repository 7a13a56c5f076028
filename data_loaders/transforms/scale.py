"""Robust scales: subtract the median, divide by the interquartile range."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from data_loaders.transforms.base import Example, SignalInfo, Transform, fitted_on, pack, refuse_carry, unpack


class RobustScale(Transform):
    """(signal - median) / IQR of each channel, by name, over the training windows.

    A channel unseen in training takes the median of what the channels of its type had, with a printed line; bad channels
    are neither learned from nor changed. Where a quarter of the values cannot be told apart (sparse counts) the standard
    deviation takes the place of the IQR, and a flat channel is only centred.
    """

    fitted: ClassVar[bool] = True

    def __init__(self, center: bool = True, scale: bool = True) -> None:
        self.center, self.scale = center, scale
        # what to subtract and to divide by, made once per set of channels
        self._tables: dict[tuple[tuple[str, ...], ...], tuple[ndarray, ndarray]] = {}

    def fit(self, windows: Sequence[Example]) -> Transform:
        names, types, values = _by_channel(windows)
        center, scale = np.array([_median_iqr(value) for value in values]).T
        kinds = sorted(set(types))
        of = {kind: [c for c, other in enumerate(types) if other == kind] for kind in kinds}
        return self.with_state({
            "names": pack(names), "center": center, "scale": scale,
            "types": pack(kinds), "type_center": np.array([np.median(center[of[k]]) for k in kinds]),
            "type_scale": np.array([np.median(scale[of[k]]) for k in kinds]), "fitted_on": fitted_on(windows),
        })  # fmt: skip

    def with_state(self, state: Mapping[str, ndarray]) -> Transform:
        changed = RobustScale(self.center, self.scale)
        changed._state = dict(state)
        return changed

    def step(
        self, chunk: Float[ndarray, "channel time"], info: SignalInfo, carry: Any = None
    ) -> tuple[Float[ndarray, "channel time"], Any]:
        center, scale = self._table(info)
        return (chunk - center.astype(chunk.dtype)) / scale.astype(chunk.dtype), None

    def channelwise(self, info: SignalInfo) -> Sequence[tuple[np.ufunc, Float[ndarray, "channel"]]]:
        center, scale = self._table(info)
        return [(np.subtract, center[:, 0].astype(np.float32)), (np.divide, scale[:, 0].astype(np.float32))]

    def _table(self, info: SignalInfo) -> tuple[Float[ndarray, "channel 1"], Float[ndarray, "channel 1"]]:
        self.learned("names")
        key = (info.ch_names, info.ch_types, info.bads)
        if key not in self._tables:
            self._tables[key] = self._made(info)
        return self._tables[key]

    def _made(self, info: SignalInfo) -> tuple[Float[ndarray, "channel 1"], Float[ndarray, "channel 1"]]:
        known, kinds = ({name: i for i, name in enumerate(unpack(self.learned(key)))} for key in ("names", "types"))
        unseen = [name for name in info.ch_names if name not in known and name not in info.bads]
        if unseen:
            print(
                f"RobustScale: {len(unseen)} channels unseen in training ({', '.join(unseen[:5])}) take the statistics of their type"
            )
        pairs = [
            self._pair(*channel, known, kinds, info.bads) for channel in zip(info.ch_names, info.ch_types, strict=True)
        ]
        center, scale = np.array(pairs).reshape(-1, 2, 1).transpose(1, 0, 2)  # [channel, 1] each
        return center if self.center else np.zeros_like(center), scale if self.scale else np.ones_like(scale)

    def _pair(
        self, name: str, kind: str, known: dict[str, int], kinds: dict[str, int], bads: tuple[str, ...]
    ) -> tuple[float, float]:
        if name in bads:
            return 0.0, 1.0
        if name in known:
            return self.learned("center")[known[name]], self.learned("scale")[known[name]]
        if kind not in kinds:
            raise ValueError(
                f"channel {name} is of type {kind}, and training saw {sorted(kinds)} only: pick those types, or train on {kind} too"
            )
        return self.learned("type_center")[kinds[kind]], self.learned("type_scale")[kinds[kind]]


class WindowScale(Transform):
    """(signal - median) / IQR of each channel over each window on its own; nothing is learned.

    A flat channel is only centred. It sees the whole window, so on a live stream it runs on windows, not on chunks.
    """

    causal = False

    def step(
        self, chunk: Float[ndarray, "channel time"], info: SignalInfo, carry: Any = None
    ) -> tuple[Float[ndarray, "channel time"], Any]:
        refuse_carry(self, carry)
        low, median, high = np.percentile(chunk, [25, 50, 75], axis=1, keepdims=True).astype(chunk.dtype)
        spread = high - low
        return (chunk - median) / np.where(spread > 0, spread, 1), None


def _by_channel(windows: Sequence[Example]) -> tuple[list[str], list[str], list[ndarray]]:
    """Name, type and all values of each good channel, in the order met."""
    pieces: dict[str, list[ndarray]] = {}
    types: dict[str, str] = {}
    for window in windows:
        for name, kind, values in zip(window.info.ch_names, window.info.ch_types, window.signal, strict=True):
            if name not in window.info.bads:
                pieces.setdefault(name, []).append(values)
                types.setdefault(name, kind)
    if not pieces:
        raise ValueError(
            f"{len(windows)} training windows hold no good channel to scale by: check the split and the bad channels"
        )
    return list(pieces), [types[name] for name in pieces], [np.concatenate(values) for values in pieces.values()]


def _median_iqr(values: Float[ndarray, "value"]) -> tuple[float, float]:
    low, median, high = np.percentile(values.astype(np.float64), [25, 50, 75])
    spread = float(high - low) or float(values.std(dtype=np.float64))
    return float(median), spread or 1.0
