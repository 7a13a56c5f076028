"""Filters in frequency: zero-phase over whole segments, or causal for live use."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from data_loaders.transforms.base import SignalInfo, TooShortError, Transform, refuse_carry, run_sections, spread

# fourth order, twice (forward and backward) where it may look ahead: the field's usual choice
_BUTTERWORTH = {"order": 4, "ftype": "butter", "output": "sos"}
# a notch's centre over its width
_NOTCH_Q = 30.0


class BandPass(Transform):
    """Keeps frequencies from `l_freq` to `h_freq` hertz; None leaves that side open.

    Zero-phase by MNE: `fir` (windowed, MNE's defaults) or `iir` (fourth-order Butterworth, for short segments). With
    `causal`, a fourth-order Butterworth that looks at the past only. `continuous` runs it over whole segments, before
    windows are cut; otherwise each window is filtered on its own and its edges ring.
    """

    def __init__(
        self,
        l_freq: float | None,
        h_freq: float | None,
        causal: bool = False,
        method: Literal["fir", "iir"] = "fir",
        continuous: bool = True,
    ) -> None:
        if l_freq is None and h_freq is None:
            raise ValueError("BandPass has neither l_freq nor h_freq: give one, in hertz, or leave it out")
        if l_freq is not None and h_freq is not None and l_freq >= h_freq:
            raise ValueError(
                f"BandPass keeps {l_freq:g} to {h_freq:g} Hz, which is nothing: make l_freq smaller than h_freq"
            )
        self.l_freq, self.h_freq, self.causal, self.method, self.continuous = l_freq, h_freq, causal, method, continuous

    @property
    def reach(self) -> float:
        return _reach(self._filtered, 4 * max(self.l_freq or 0.0, self.h_freq or 0.0), repr(sorted(vars(self).items())))

    def plan(self, info: SignalInfo) -> SignalInfo:
        for name, value in (("l_freq", self.l_freq), ("h_freq", self.h_freq)):
            if value is not None and not 0 < value < info.sfreq / 2:
                raise ValueError(
                    f"the signal has sfreq {info.sfreq:g} Hz, and {name} is {value:g} Hz: bring {name} between 0 and {info.sfreq / 2:g}"
                )
        return info

    def step(
        self, chunk: Float[ndarray, "channel time"], info: SignalInfo, carry: Any = None
    ) -> tuple[Float[ndarray, "channel time"], Any]:
        self.plan(info)
        if self.causal:
            return run_sections(chunk, _band_sos(self.l_freq, self.h_freq, info.sfreq), carry)
        refuse_carry(self, carry)
        return self._filtered(chunk, info.sfreq), None

    def _filtered(self, chunk: Float[ndarray, "channel time"], sfreq: float) -> Float[ndarray, "channel time"]:
        if self.causal:
            return run_sections(chunk, _band_sos(self.l_freq, self.h_freq, sfreq))[0]
        from mne.filter import create_filter, filter_data

        edges: dict[str, Any] = {
            "l_freq": self.l_freq,
            "h_freq": self.h_freq,
            "method": self.method,
            "verbose": "error",
        }
        if self.method == "fir":
            _check_length(len(create_filter(None, sfreq, **edges)), chunk.shape[1], sfreq)
        else:
            edges["iir_params"] = dict(_BUTTERWORTH)
        return filter_data(chunk.astype(np.float64), sfreq, **edges).astype(chunk.dtype)


class Notch(Transform):
    """Removes mains hum: `freqs` hertz and, where it is one number, its harmonics below half the sampling rate.

    Zero-phase by MNE (`fir`, or `iir` for short segments); with `causal`, second-order notches of quality 30.
    """

    def __init__(
        self,
        freqs: float | list[float] = 50.0,
        causal: bool = False,
        method: Literal["fir", "iir"] = "fir",
        continuous: bool = True,
    ) -> None:
        self.freqs, self.causal, self.method, self.continuous = freqs, causal, method, continuous
        if not self._all(np.inf) or min(self._all(np.inf)) <= 0:
            raise ValueError(f"freqs is {freqs}, expected positive frequencies in hertz, such as 50.0")

    @property
    def reach(self) -> float:
        return _reach(self._filtered, 4 * max(self._all(np.inf)), repr(sorted(vars(self).items())))

    def plan(self, info: SignalInfo) -> SignalInfo:
        self._all(info.sfreq / 2)
        return info

    def step(
        self, chunk: Float[ndarray, "channel time"], info: SignalInfo, carry: Any = None
    ) -> tuple[Float[ndarray, "channel time"], Any]:
        if self.causal:
            return run_sections(chunk, _notch_sos(tuple(self._all(info.sfreq / 2)), info.sfreq), carry)
        refuse_carry(self, carry)
        return self._filtered(chunk, info.sfreq), None

    def _filtered(self, chunk: Float[ndarray, "channel time"], sfreq: float) -> Float[ndarray, "channel time"]:
        freqs = np.array(self._all(sfreq / 2))
        if self.causal:
            return run_sections(chunk, _notch_sos(tuple(freqs), sfreq))[0]
        from mne.filter import notch_filter

        if self.method == "fir":
            # MNE's transition of 0.5 Hz on either side of each notch, which takes 3.3 / 0.5 s
            _check_length(round(6.6 * sfreq), chunk.shape[1], sfreq)
            return notch_filter(chunk.astype(np.float64), sfreq, freqs, verbose="error").astype(chunk.dtype)
        out = chunk.astype(np.float64)
        for freq in freqs:
            out = notch_filter(out, sfreq, [freq], method="iir", iir_params=dict(_BUTTERWORTH), verbose="error")
        return out.astype(chunk.dtype)

    def _all(self, nyquist: float) -> list[float]:
        """Every frequency to remove. Raises ValueError where one is not below half the sampling rate."""
        listed = list(self.freqs) if isinstance(self.freqs, list) else [float(self.freqs)]
        if max(listed, default=0) >= nyquist:
            raise ValueError(
                f"the signal has sfreq {2 * nyquist:g} Hz, and Notch removes {max(listed):g} Hz: give freqs below {nyquist:g}, or none"
            )
        if isinstance(self.freqs, list) or np.isinf(nyquist):
            return listed
        return [self.freqs * k for k in range(1, int(np.ceil(nyquist / self.freqs)))]


@lru_cache(maxsize=64)
def _band_sos(l_freq: float | None, h_freq: float | None, sfreq: float) -> Float[ndarray, "section 6"]:
    from scipy.signal import butter

    if l_freq is None or h_freq is None:
        return butter(4, l_freq or h_freq, "lowpass" if l_freq is None else "highpass", fs=sfreq, output="sos")
    return butter(4, [l_freq, h_freq], "bandpass", fs=sfreq, output="sos")


@lru_cache(maxsize=64)
def _notch_sos(freqs: tuple[float, ...], sfreq: float) -> Float[ndarray, "section 6"]:
    from scipy.signal import iirnotch, tf2sos

    return np.concatenate([tf2sos(*iirnotch(freq, _NOTCH_Q, fs=sfreq)) for freq in freqs])


def _check_length(n_taps: int, n_times: int, sfreq: float) -> None:
    if n_taps > n_times:
        raise TooShortError(
            f"the filter lasts {n_taps / sfreq:.2f} s and the segment {n_times / sfreq:.2f} s: "
            f"set method to iir, raise l_freq, or cut longer segments"
        )


_REACHES: dict[str, float] = {}


def _reach(filtered: Callable[[ndarray, "float"], ndarray], sfreq: float, key: str) -> float:
    """The spread of an impulse at four times the highest frequency, where the pass-band fills half of what there is."""
    if key not in _REACHES:
        _REACHES[key] = spread(filtered, sfreq)
    return _REACHES[key]
