"""A small world to plant leaks in: people of noise, windows of one second, two plain classifiers."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.neighbors import KNeighborsClassifier

from data_loaders import leakage
from data_loaders.contracts import Recording
from data_loaders.leakage import LeakageError
from data_loaders.splits import Fold, Split
from data_loaders.store import Store
from data_loaders.transforms import Example, SignalInfo, Transform
from data_loaders.windows import Around, Rule, Windows
from data_loaders.writer import Writer

SFREQ = 100.0


def recording(signal: np.ndarray, onsets, labels, subject: str = "01", run: str = "", **columns) -> Recording:
    """A signal [time, channel] at 100 Hz with one event per label."""
    events = pd.DataFrame(
        {"onset": np.asarray(onsets, float), "duration": 1.0, "trial_type": [str(label) for label in labels], **columns}
    )
    names = tuple(f"c{i}" for i in range(signal.shape[1]))
    return Recording(
        study="planted", subject=subject, run=run, modality="eeg", sfreq=SFREQ, ch_names=names, ch_types=("eeg",) * len(names),
        units=("V",) * len(names), duration=len(signal) / SFREQ, signal=signal.astype(np.float32), events=events,
    )  # fmt: skip


def stored(folder: Path, *recordings: Recording) -> Store:
    with Writer(folder) as writer:
        for one in recordings:
            writer.write(one)
    return Store(folder)


def cut(store: Store, rule: Rule | None = None, length: float = 1.0) -> Windows:
    return (rule or Around()).cut(store, (0.0, length))


def labels(windows: Windows, index: np.ndarray | None = None) -> np.ndarray:
    """Class numbers, from trial_type."""
    return windows.column("trial_type", np.arange(len(windows)) if index is None else index).astype(int)


def examples(store: Store) -> Callable[[Windows, np.ndarray], list[Example]]:
    def read(windows: Windows, index: np.ndarray) -> list[Example]:
        run, anchor = windows.locate(index)
        found = []
        for r, at, label, window in zip(run, anchor, labels(windows, index), windows.ids(index), strict=True):
            number = int(windows.recording[r])
            entry = store.entry(number)
            signal = store.signal(number, int(at), int(at) + round(windows.extent[1] * SFREQ)).T
            info = SignalInfo(SFREQ, entry.ch_names, entry.ch_types, entry.ch_positions, entry.bads, number)
            found.append(Example(info, signal, label, int(window)))
        return found

    return read


def seen(store: Store, windows: Windows) -> list[Example]:
    return examples(store)(windows, np.arange(len(windows)))


def guard(fold: Fold, split: Split, store: Store, transforms: list[Transform] | None = None, truth=labels) -> str:
    """What the guard says of a fold."""
    try:
        flags = leakage.check(fold, split, store, transforms or [], truth, examples(store) if truth else None)
    except LeakageError as error:
        return f"refused: {error}"
    return f"flagged: {flags[0].message}" if flags else "silent: "


def nearest(train: np.ndarray, y_train: np.ndarray, test: np.ndarray, y_test: np.ndarray, k: int = 1) -> float:
    """Accuracy of the k nearest training windows."""
    return float(KNeighborsClassifier(k).fit(train, y_train).score(test, y_test))


def means(windows: list[Example]) -> np.ndarray:
    return np.array([window.signal.mean(1) for window in windows])


def spectra(windows: list[Example]) -> np.ndarray:
    """Log-power per channel and frequency: who somebody is, whatever the amplifier's gain."""
    power = np.log(np.abs(np.fft.rfft(np.array([w.signal for w in windows]), axis=2))[:, :, 1:40] ** 2)
    return (power - power.mean((1, 2), keepdims=True)).reshape(len(windows), -1)


def score(store: Store, fold: Fold, features: Callable[[list[Example]], np.ndarray] = means, k: int = 1) -> float:
    train, test = seen(store, fold.train), seen(store, fold.test)
    return nearest(features(train), labels(fold.train), features(test), labels(fold.test), k)


def handmade(windows: Windows, in_test: np.ndarray) -> Fold:
    """A fold as a careless script would make it."""
    index = np.arange(len(windows))
    return Fold("handmade", windows.take(index[~in_test]), windows.take(index[:0]), windows.take(index[in_test]))


def person(rng: np.random.Generator, seconds: float = 60.0, n_chans: int = 3) -> np.ndarray:
    """Noise whose spectrum is somebody's own."""
    noise = rng.standard_normal((round(seconds * SFREQ), n_chans))
    own = rng.standard_normal((8, n_chans))
    return np.stack([np.convolve(noise[:, c], own[:, c], "same") for c in range(n_chans)], axis=1)


def drift(rng: np.random.Generator, seconds: float, n_chans: int = 3) -> np.ndarray:
    return np.cumsum(rng.standard_normal((round(seconds * SFREQ), n_chans)), axis=0) / 10 + 0.1 * rng.standard_normal(
        (round(seconds * SFREQ), n_chans)
    )
