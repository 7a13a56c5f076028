"""What the tests of baselines share: planted effects in windows [window, channel, time]."""

from collections.abc import Callable

import numpy as np
import pytest

from brainfm.baselines.base import Baseline, inner_folds
from brainfm.statistics.metrics import ClassTally


@pytest.fixture
def power() -> tuple[np.ndarray, np.ndarray]:
    """Two classes in volts: 10 Hz is stronger in a mixture of channels for the second."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 120)
    noise = rng.standard_normal((120, 6, 256))
    wave = np.sin(2 * np.pi * 10 * np.arange(256) / 128 + rng.uniform(0, 6, (120, 1)))
    mixing = np.array([1, -1, 0.5, 0, 0, 0])[:, None]
    return (1e-6 * (noise + (0.3 + y)[:, None, None] * mixing * wave[:, None])).astype(np.float32), y


@pytest.fixture
def evoked() -> tuple[np.ndarray, np.ndarray]:
    """Two classes in teslas: a bump at the same time in every window of the second."""
    rng = np.random.default_rng(1)
    y = rng.integers(0, 2, 120)
    bump = np.exp(-0.5 * ((np.arange(128) - 60) / 8) ** 2)
    signal = rng.standard_normal((120, 5, 128)) + y[:, None, None] * np.array([1, 0.5, 0, 0, -1])[:, None] * bump
    return (1e-13 * signal).astype(np.float32), y


@pytest.fixture
def fit() -> Callable[..., Baseline]:
    """Fits a baseline; inner folds are contiguous stretches of each class."""

    def fit(baseline: Baseline, X: np.ndarray, y: np.ndarray, sfreq: float = 128.0, n_outputs: int = 0) -> Baseline:
        classes = y.ndim == 1
        n_outputs = n_outputs or (int(y.max()) + 1 if classes else y.shape[1])
        facts = {"n_chans": X.shape[1], "n_times": X.shape[2], "sfreq": sfreq, "n_outputs": n_outputs}
        folds = inner_folds(np.zeros(len(y), dtype=np.int64), None, y if classes else None, 5 if classes else 3)
        return baseline.fit(X, y, folds, facts)

    return fit


@pytest.fixture
def learned(fit) -> Callable[..., tuple[Baseline, float]]:
    """Fits on the first two thirds; gives the baseline and its AUROC on the rest."""

    def learn(baseline: Baseline, X: np.ndarray, y: np.ndarray, sfreq: float = 128.0) -> tuple[Baseline, float]:
        n = 2 * len(y) // 3
        fitted = fit(baseline, X[:n], y[:n], sfreq, int(y.max()) + 1)
        return fitted, ClassTally(int(y.max()) + 1).score(y[n:], fitted.predict(X[n:]))["auroc"]

    return learn
