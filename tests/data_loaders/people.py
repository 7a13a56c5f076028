"""People of noise with events, cut into windows of a second, for the tests of the leakage guard."""

import numpy as np
import pandas as pd

from data_loaders.contracts import Recording
from data_loaders.store import Store
from data_loaders.windows import Around, Rule, Windows

SFREQ = 100.0


def brain(seed: int, seconds: float = 60.0, n_chans: int = 4) -> np.ndarray:
    """Pink-ish noise [time, channel]."""
    noise = np.random.default_rng(seed).standard_normal((round(seconds * SFREQ), n_chans))
    return (noise + 0.1 * np.cumsum(noise, axis=0)).astype(np.float32)


def recording(signal: np.ndarray | None, subject: str, run: str = "1", every: float = 2.0, **more) -> Recording:
    duration = more.pop("duration", None) or len(signal) / SFREQ
    onsets = np.arange(0.0, duration - 1.0, every)
    n = len(onsets)
    about = {
        "onset": onsets,
        "duration": 1.0,
        "trial_type": [str(k % 2) for k in range(n)],
        "stimulus": [f"s{k % 7}" for k in range(n)],
    }
    n_chans = 8 if signal is None else signal.shape[1]
    names = tuple(f"c{i}" for i in range(n_chans))
    return Recording(
        study="made", subject=subject, run=run, modality="eeg", sfreq=SFREQ, ch_names=names, ch_types=("eeg",) * n_chans,
        units=("V",) * n_chans, duration=duration, signal=signal, events=pd.DataFrame(about), **more,
    )  # fmt: skip


def cut(store: Store, rule: Rule | None = None) -> Windows:
    return (rule or Around()).cut(store, (0.0, 1.0))
