"""Band power + logistic regression: how much of each rhythm each channel holds."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from brainfm.baselines.base import LinearProbe, logistic_heads, waves_only

# hertz: delta, theta, alpha, low and high beta, low and high gamma
BANDS = ((1.0, 4.0), (4.0, 8.0), (8.0, 13.0), (13.0, 20.0), (20.0, 30.0), (30.0, 45.0), (55.0, 95.0))


class BandPower(LinearProbe):
    """Logistic regression on the log power (Welch, segments of at most two seconds) of each channel in each rhythm."""

    name = "band power + logistic regression"

    def suits(self, facts: Mapping[str, Any]) -> str | None:
        if not usable_bands(facts["sfreq"], facts["n_times"]):
            seconds = facts["n_times"] / facts["sfreq"]
            return f"windows of {seconds:g} s at {facts['sfreq']:g} Hz hold no rhythm of 1 to 95 Hz for two cycles"
        return waves_only(facts)

    def features(self, facts: Mapping[str, Any]) -> Any:
        from sklearn.preprocessing import FunctionTransformer

        return FunctionTransformer(partial(log_band_power, sfreq=float(facts["sfreq"])))

    def heads(self, n_classes: int) -> dict[str, Any]:
        return logistic_heads()


def log_band_power(X: Float[ndarray, "batch channel time"], sfreq: float) -> Float[ndarray, "batch feature"]:
    """Log power in each usable band, channels side by side."""
    from scipy.signal import welch

    n_times = X.shape[2]
    frequency, power = welch(X, sfreq, nperseg=min(n_times, round(2 * sfreq)), axis=2)
    bands = usable_bands(sfreq, n_times)
    inside = [power[:, :, (frequency >= low) & (frequency < high)].mean(2) for low, high in bands]
    return np.log(np.maximum(np.concatenate(inside, axis=1), np.finfo(np.float32).tiny))


def usable_bands(sfreq: float, n_times: int) -> list[tuple[float, float]]:
    """The bands below the Nyquist frequency whose slowest rhythm has two cycles in a window."""
    return [(low, high) for low, high in BANDS if high <= sfreq / 2 and low * n_times / sfreq >= 2]
