"""Another sampling rate."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from data_loaders.transforms.base import SignalInfo, Transform, refuse_carry, run_sections, spread


class Resample(Transform):
    """Brings the signal to `sfreq` hertz, with a low-pass against aliases.

    Polyphase and zero-phase; with `causal`, an eighth-order Butterworth at 0.4 x `sfreq` and every n-th sample, so the old
    rate must be a multiple of the new. `continuous` runs it over whole segments, before windows are cut.
    """

    def __init__(self, sfreq: float, causal: bool = False, continuous: bool = True) -> None:
        if sfreq <= 0:
            raise ValueError(f"sfreq is {sfreq:g} Hz, expected a positive rate, such as 128.0")
        self.sfreq, self.causal, self.continuous = sfreq, causal, continuous

    @property
    def reach(self) -> float:
        """Of the low-pass at `sfreq`; bringing a signal up from a lower rate reaches further, by the ratio of the rates."""
        return _reach(self.sfreq, self.causal)

    def plan(self, info: SignalInfo) -> SignalInfo:
        self._ratio(info.sfreq)
        return replace(info, sfreq=self.sfreq)

    def step(
        self, chunk: Float[ndarray, "channel time"], info: SignalInfo, carry: Any = None
    ) -> tuple[Float[ndarray, "channel out_time"], Any]:
        ratio = self._ratio(info.sfreq)
        if self.causal:
            return _decimated(chunk, ratio.denominator, carry)
        refuse_carry(self, carry)
        return _polyphase(chunk, ratio.numerator, ratio.denominator), None

    def _ratio(self, sfreq: float) -> Fraction:
        ratio = Fraction(self.sfreq / sfreq).limit_denominator(10_000)
        if self.causal and ratio.numerator != 1:
            near = sfreq / max(1, round(sfreq / self.sfreq))
            raise ValueError(
                f"causal Resample keeps every n-th sample, and {sfreq:g} Hz is no multiple of {self.sfreq:g} Hz: set sfreq to {near:g}"
            )
        return ratio


@lru_cache(maxsize=64)
def _reach(sfreq: float, causal: bool) -> float:
    if causal:
        return spread(lambda chunk, _: run_sections(chunk, _low_pass(4))[0], 4 * sfreq)
    return spread(lambda chunk, _: _polyphase(_polyphase(chunk, 1, 4), 4, 1), 4 * sfreq)


def _polyphase(chunk: Float[ndarray, "channel time"], up: int, down: int) -> Float[ndarray, "channel out_time"]:
    from scipy.signal import resample_poly

    # "line": a signal that does not start at zero has no step at its edges
    return resample_poly(chunk.astype(np.float64), up, down, axis=1, padtype="line").astype(chunk.dtype)


def _decimated(
    chunk: Float[ndarray, "channel time"], every: int, carry: Any
) -> tuple[Float[ndarray, "channel out_time"], Any]:
    """Low-pass on from the last chunk; the carry holds the filter's state and how many samples to skip."""
    if every == 1:
        return chunk, None
    state, skip = (None, 0) if carry is None else carry
    smooth, state = run_sections(chunk, _low_pass(every), state)
    return smooth[:, skip::every], (state, (skip - chunk.shape[1]) % every)


@lru_cache(maxsize=64)
def _low_pass(every: int) -> Float[ndarray, "section 6"]:
    from scipy.signal import butter

    return butter(8, 0.8 / every, output="sos")
