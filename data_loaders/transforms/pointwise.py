"""Changes of each value on its own: units, limits, counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from data_loaders.transforms.base import SignalInfo, Transform

# one per size of brain activity in SI units: 1 pT, 1 pT/cm (1e-10 T/m) less a magnitude, 10 uV; mne.defaults, scalings_cov_rank
_PER_UNIT = {
    "mag": 1e12,
    "grad": 1e11,
    "ref_meg": 1e12,
    "eeg": 1e5,
    "ecog": 1e4,
    "seeg": 1e4,
    "dbs": 1e4,
    "eog": 1e4,
    "ecg": 1e3,
    "emg": 1e4,
}


class ScaleByType(Transform):
    """Brings tesla, tesla per metre and volts to comparable numbers around 1, by fixed constants per channel type.

    Magnetometers are multiplied by 1e12, gradiometers by 1e11, EEG by 1e5 (the constants of MNE's `scalings_cov_rank`),
    intracranial channels by 1e4. Types without such a unit (counts, BOLD) keep their numbers.
    """

    def step(
        self, chunk: Float[ndarray, "channel time"], info: SignalInfo, carry: Any = None
    ) -> tuple[Float[ndarray, "channel time"], Any]:
        return chunk * self._factor(info).astype(chunk.dtype)[:, None], None

    def channelwise(self, info: SignalInfo) -> Sequence[tuple[np.ufunc, Float[ndarray, "channel"]]]:
        return [(np.multiply, self._factor(info).astype(np.float32))]

    def _factor(self, info: SignalInfo) -> Float[ndarray, "channel"]:
        return np.array([_PER_UNIT.get(kind, 1.0) for kind in info.ch_types])


class Clamp(Transform):
    """Cuts values off at `limit` on either side of zero; put it behind a scale."""

    def __init__(self, limit: float = 20.0) -> None:
        if limit <= 0:
            raise ValueError(f"limit is {limit:g}, expected a positive number, such as 20.0")
        self.limit = limit

    def step(
        self, chunk: Float[ndarray, "channel time"], info: SignalInfo, carry: Any = None
    ) -> tuple[Float[ndarray, "channel time"], Any]:
        return np.clip(chunk, -self.limit, self.limit), None

    def channelwise(self, info: SignalInfo) -> Sequence[tuple[np.ufunc, Float[ndarray, "channel"]]]:
        limit = np.full(len(info.ch_names), self.limit, np.float32)
        return [(np.maximum, -limit), (np.minimum, limit)]


class SquareRoot(Transform):
    """The square root of counts, which evens out their variance."""

    def step(
        self, chunk: Float[ndarray, "channel time"], info: SignalInfo, carry: Any = None
    ) -> tuple[Float[ndarray, "channel time"], Any]:
        if chunk.size and chunk.min() < 0:
            raise ValueError(
                f"the signal goes down to {chunk.min():.3g}, and SquareRoot takes counts: put it before any scale, or leave it out"
            )
        return np.sqrt(chunk), None
