"""Deconvolution of calcium traces: when a cell fired, read off how its fluorescence jumps and decays."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from data_loaders.transforms.base import SignalInfo, Transform, refuse_carry


class Deconvolve(Transform):
    """Nonnegative activity of each channel, from a fluorescence that each jump of it raises and that decays in `decay` seconds.

    Solved is `min 1/2 |y - b - c|^2 + penalty |s|_1` over the calcium `c`, where `s_t = c_t - g c_{t-1}` is at least 0, `g` is
    `exp(-1 / (decay sfreq))` and `b` the `baseline` quantile of the stretch. `penalty` is in standard deviations of the noise,
    which is read from the spectrum above a quarter of the rate; 0 is nonnegative least squares. `gives` the `activity` s or
    the denoised `calcium` c. Both are floats in the trace's unit: how much a spike weighs is not known, so no count is made of them.

    It looks ahead, and by default runs over whole segments before windows are cut. Traces with NaN are refused.
    Reference: Friedrich, Zhou and Paninski 2017, https://doi.org/10.1371/journal.pcbi.1005423 (OASIS, algorithm 1; noise:
    Pnevmatikakis et al. 2016, https://doi.org/10.1016/j.neuron.2015.11.037, methods).
    """

    causal: bool = False
    fitted: ClassVar[bool] = False

    def __init__(
        self,
        decay: float = 0.7,
        penalty: float = 1.0,
        baseline: float = 0.15,
        gives: Literal["activity", "calcium"] = "activity",
        continuous: bool = True,
    ) -> None:
        if decay <= 0:
            raise ValueError(f"decay is {decay:g} s, expected how long the indicator takes to fall to 1/e, such as 0.7")
        if penalty < 0:
            raise ValueError(f"penalty is {penalty:g}, expected 0 or more standard deviations of the noise")
        if not 0 <= baseline <= 1:
            raise ValueError(f"baseline is {baseline:g}, expected a quantile in [0, 1], such as 0.15")
        self.decay, self.penalty, self.baseline, self.gives = decay, penalty, baseline, gives
        self.continuous = continuous

    @property
    def reach(self) -> float:
        """A jump moves what is thought of the samples around it for as long as the calcium lasts."""
        return 7 * self.decay  # e^-7: a thousandth

    def step(
        self, chunk: Float[ndarray, "channel time"], info: SignalInfo, carry: Any = None
    ) -> tuple[Float[ndarray, "channel time"], Any]:
        refuse_carry(self, carry)
        gamma = float(np.exp(-1 / (self.decay * info.sfreq)))
        out = np.empty_like(chunk)
        for channel, trace in enumerate(chunk.astype(np.float64)):
            if not np.isfinite(trace).all():
                raise ValueError(
                    f"{info.ch_names[channel]} has samples that are no numbers: pick channels without them, or mark them bad"
                )
            calcium = deconvolved(trace - np.quantile(trace, self.baseline), gamma, self.penalty * noise(trace))
            out[channel] = calcium if self.gives == "calcium" else _jumps(calcium, gamma)
        return out, None


def deconvolved(trace: Float[ndarray, "time"], gamma: float, penalty: float) -> Float[ndarray, "time"]:
    """The calcium: pools of samples that decay together, merged backwards wherever one would begin below the last.

    A pool has a value, a weight, a start and a length (the paper's v, w, t and l); each sample is pushed and merged once, so
    the cost grows linearly.

    >>> deconvolved(np.array([0.0, 1.0, 0.5, 0.25]), 0.5, 0.0).tolist()
    [0.0, 1.0, 0.5, 0.25]
    """
    pools: list[tuple[float, float, int]] = []  # value, weight, length
    paid = trace - penalty * (1 - gamma)
    paid[-1:] = trace[-1:] - penalty
    for sample in paid.tolist():
        value, weight, length = sample, 1.0, 1
        while pools and value < gamma ** pools[-1][2] * pools[-1][0]:
            before, heavy, long = pools.pop()
            decayed = gamma**long
            merged = heavy + decayed * decayed * weight
            value, weight, length = (heavy * before + decayed * weight * value) / merged, merged, long + length
        pools.append((value, weight, length))
    return np.concatenate([max(value, 0.0) * gamma ** np.arange(length) for value, _, length in pools])


def noise(trace: Float[ndarray, "time"]) -> float:
    """The standard deviation of white noise that has the trace's power above a quarter of the sampling rate."""
    from scipy.signal import welch

    frequency, power = welch(trace, nperseg=min(256, len(trace)), detrend="constant")
    return float(np.sqrt(power[frequency >= 0.25].mean() / 2))


def _jumps(calcium: Float[ndarray, "time"], gamma: float) -> Float[ndarray, "time"]:
    """How much the calcium of each sample is above what the one before left; the first sample has nothing before it."""
    before = np.concatenate([[0.0], calcium[:-1]])
    jumps = np.maximum(calcium - gamma * before, 0.0)
    jumps[:1] = 0.0  # what was there when the recording began fell in no sample of it
    # within a pool nothing jumps: what rounding leaves there is no activity
    return np.where(jumps > 1e-9 * max(calcium.max(initial=0.0), 1e-300), jumps, 0.0)
