"""Small seeded recordings, written by the field's own libraries, for the readers to read."""

from collections.abc import Callable

import mne
import numpy as np
import pytest

NAMES = ("Fp1", "Fp2", "C3", "Cz", "C4", "O1")


@pytest.fixture
def make_raw() -> Callable[..., mne.io.RawArray]:
    """Ten seconds (or more) of EEG-like noise, 20 microvolts, in volts."""

    def make(names=NAMES, types="eeg", sfreq: float = 100.0, seconds: float = 10.0, scale: float = 2e-5, seed: int = 0):
        kinds = [types] * len(names) if isinstance(types, str) else list(types)
        signal = scale * np.random.default_rng(seed).normal(size=(len(names), round(sfreq * seconds)))
        return mne.io.RawArray(signal, mne.create_info(list(names), sfreq, kinds), verbose="error")

    return make
