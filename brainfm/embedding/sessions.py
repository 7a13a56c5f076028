"""Sessions in memory: arrays, lists of trials and pynapple objects as one table of windows that knows its borders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor

from data_loaders.windows import Windows


@dataclass(frozen=True)
class Session:
    """The samples of one session, trial after trial, and where trials begin."""

    name: str
    signal: Float[ndarray, "time channel"]
    starts: Int[ndarray, "trial"]

    @property
    def lengths(self) -> Int[ndarray, "trial"]:
        """Samples in each trial."""
        return np.diff(np.r_[self.starts, len(self.signal)])


def sessions_of(X: Any, at_least: int = 2) -> list[Session]:
    """One session of an array [time, channel], a list of trials or a pynapple object; several of a dict of these.

    Raises ValueError that names trial, sample and channel for what cannot be embedded.
    """
    if isinstance(X, dict) and not hasattr(X, "toarray"):  # scipy has a sparse matrix that is a dict
        if not X:
            raise ValueError("X is an empty dict: give {session: array or trials} with at least one session")
        return [_session(str(name), of, at_least) for name, of in X.items()]
    return [_session("", X, at_least)]


def _session(name: str, X: Any, at_least: int) -> Session:
    where = f"session {name!r}" if name else "X"
    trials = trials_of(X, where, at_least)
    widths = {trial.shape[1] for trial in trials}
    if len(widths) > 1:
        raise ValueError(
            f"{where}: trials have {sorted(widths)} channels, and trials of one session have the same ones: "
            "give sessions with different units as a dict {session: trials}"
        )
    lengths = np.array([len(trial) for trial in trials])
    signal = np.concatenate(trials)
    _check_finite(signal, where)
    constant = np.flatnonzero(np.ptp(signal, axis=0) == 0) if at_least > 1 else np.array([], int)
    if len(constant) == signal.shape[1]:
        raise ValueError(f"{where}: every channel is constant, so there is nothing to embed")
    if len(constant):
        print(
            f"{where}: {len(constant)} of {signal.shape[1]} channels are constant and carry nothing: {constant.tolist()[:10]}"
        )
    return Session(name, signal, np.cumsum(lengths) - lengths)


def trials_of(X: Any, where: str = "X", at_least: int = 1) -> list[ndarray]:
    """The trials of a session, each [time, channel]; an array is one trial, a pynapple object one per epoch."""
    if hasattr(X, "time_support"):
        return _epochs(X)
    if isinstance(X, list | tuple) and len(X) and np.ndim(X[0]) >= 2:
        return [_two_dimensional(trial, f"{where}, trial {i}", at_least) for i, trial in enumerate(X)]
    return [_two_dimensional(X, where, at_least)]


def _epochs(X: Any) -> list[ndarray]:
    """The epochs of a pynapple TsdFrame or Tsd."""
    if not hasattr(X, "t"):
        raise ValueError(
            f"X is a {type(X).__name__} of spike times: count them first, X.count(0.025) for bins of 25 ms"
        )
    values, seconds = np.asarray(X.values), np.asarray(X.t)
    values = values.reshape(len(values), -1)
    support = np.asarray(X.time_support.values)
    first = np.searchsorted(seconds, support[:, 0], side="left")
    last = np.searchsorted(seconds, support[:, 1], side="right")
    return [np.asarray(values[a:b], np.float32) for a, b in zip(first, last, strict=True) if b > a]


def _two_dimensional(X: Any, where: str, at_least: int) -> Float[ndarray, "time channel"]:
    from sklearn.utils.validation import check_array

    # scikit-learn's words for what is no matrix of numbers; NaN is named by place further on
    return check_array(X, dtype=np.float32, ensure_all_finite=False, input_name=where, ensure_min_samples=at_least)


def _check_finite(signal: ndarray, where: str) -> None:
    bad = ~np.isfinite(signal)
    if bad.any():
        sample, channel = (int(index[0]) for index in np.nonzero(bad))
        what = "NaN" if np.isnan(signal[sample, channel]) else "infinity"
        raise ValueError(
            f"{where} holds {what} ({bad.sum()} values, the first at sample {sample}, channel {channel}): "
            "drop those samples, and give what is left as a list of trials"
        )


@dataclass(frozen=True)
class Series:
    """Sessions joined, with a window around every sample that has enough neighbours in its trial.

    A window of `n_times` samples reaches from `n_times // 2` before its anchor. With `clamp` every sample is an anchor, and
    windows at the ends of a session are moved inside, across borders of trials, as published.
    """

    sessions: Sequence[Session]
    n_times: int
    clamp: bool = False

    def windows(self, keep: Sequence[ndarray] | None = None) -> Windows:
        """A run of anchors per trial, or per kept stretch [start, stop) of each session; sfreq is 1, so a second is a sample."""
        first, count, session = [], [], []
        for number, one in enumerate(self.sessions):
            spans = np.stack([one.starts, one.starts + one.lengths], 1)
            if self.clamp:
                spans = np.array([[0, len(one.signal)]])
            for start, stop in _within(spans, None if keep is None else keep[number]):
                low, high = (start, stop) if self.clamp else (start + self.left, stop - self.right + 1)
                first, count, session = [*first, low], [*count, high - low], [*session, number]
        table = pd.DataFrame({"subject": [self.sessions[s].name for s in session], "sfreq": 1.0})
        ones = np.ones(len(first), dtype=np.int64)
        recording, begin, number_of = (np.array(column, dtype=np.int64) for column in (session, first, count))
        found = Windows(recording, begin, ones, number_of, table, (0.0, 1.0))
        kept = found.runs(found.count > 0)
        if not len(kept.count):
            longest = max(int(one.lengths.max()) for one in self.sessions)
            raise ValueError(
                f"no trial is as long as the {self.n_times} samples that the encoder sees (the longest has {longest}): "
                "take a smaller model_architecture, such as offset1-model"
            )
        return kept

    @property
    def left(self) -> int:
        return self.n_times // 2

    @property
    def right(self) -> int:
        return self.n_times - self.left

    def labels(self, per_sample: Sequence[ndarray], windows: Windows) -> ndarray:
        """The label at each window's anchor, from one array per session."""
        run, anchor = windows.locate(np.arange(len(windows)))
        recording = windows.recording[run]
        found = np.empty((len(recording), *per_sample[0].shape[1:]), np.float64)
        for number, values in enumerate(per_sample):
            found[recording == number] = values[anchor[recording == number]]
        return found

    def tensors(self) -> list[Float[Tensor, "time channel"]]:
        """Each session's samples, as they are gathered from."""
        return [torch.from_numpy(np.ascontiguousarray(one.signal, np.float32)) for one in self.sessions]


def _within(spans: Int[ndarray, "trial 2"], keep: ndarray | None) -> Int[ndarray, "part 2"]:
    """The parts of the trials that lie in one of the kept stretches."""
    if keep is None:
        return spans
    parts = [
        (max(start, low), min(stop, high))
        for start, stop in spans
        for low, high in keep
        if max(start, low) < min(stop, high)
    ]
    return np.array(parts, dtype=np.int64).reshape(-1, 2)


def parted(session: Session, held_out: float, gap: int) -> tuple[ndarray, "ndarray"]:
    """The stretches to train on and to hold out: the last share of the session, whole trials where there are five or more.

    Between both lie `gap` samples that belong to neither.
    """
    n = len(session.signal)
    border = round(n * (1 - held_out))
    if len(session.starts) >= 5:
        border = int(session.starts[np.abs(session.starts - border)[1:].argmin() + 1])
        gap = 0
    return np.array([[0, max(0, border - gap)]]), np.array([[border, n]])


def labels_of(y: Any, sessions: Sequence[Session], X: Any, number: int) -> list[ndarray]:
    """One label per sample of each session, as given for an array, trials, pynapple objects or a dict of these."""
    given = [y] if not isinstance(y, Mapping) else list(y.values())
    if isinstance(y, Mapping) and list(map(str, y)) != [one.name for one in sessions]:
        raise ValueError(
            f"labels are given for sessions {list(y)}, X has {[one.name for one in sessions]}: give both alike"
        )
    if len(given) != len(sessions):
        raise ValueError(f"X has {len(sessions)} sessions and labels are one array: give a dict {{session: labels}}")
    sources = list(X.values()) if isinstance(X, Mapping) else [X]
    return [_label(one, session, source, number) for one, session, source in zip(given, sessions, sources, strict=True)]


def _label(y: Any, session: Session, X: Any, number: int) -> ndarray:
    where = f"label {number + 1}" + (f" of session {session.name!r}" if session.name else "")
    if hasattr(y, "time_support") and hasattr(X, "t"):
        values = _at(y, np.concatenate([seconds for seconds in _seconds(X)]))
    elif isinstance(y, list | tuple) and len(y) and np.ndim(y[0]) >= 1:
        lengths = [len(trial) for trial in y]
        if lengths != session.lengths.tolist():
            wrong = next(
                (i for i, (a, b) in enumerate(zip(lengths, session.lengths, strict=False)) if a != b), len(lengths)
            )
            raise ValueError(
                f"{where}: trial {wrong} has another length than in X: give one label per sample of each trial"
            )
        values = np.concatenate([np.asarray(trial) for trial in y])
    else:
        values = np.asarray(y)
    if len(values) != len(session.signal):
        raise ValueError(
            f"{where} has {len(values)} entries, X has {len(session.signal)} samples: give one label per sample"
        )
    if values.dtype.kind in "OUS":
        values = np.unique(values.astype(str), return_inverse=True)[1]
    bad = np.flatnonzero(~np.isfinite(values.reshape(len(values), -1).astype(float)).all(1))
    if len(bad):
        raise ValueError(
            f"{where} is NaN or infinite at sample {bad[0]} ({len(bad)} samples): leave those samples out of X too"
        )
    return values


def _seconds(X: Any) -> list[ndarray]:
    seconds, support = np.asarray(X.t), np.asarray(X.time_support.values)
    return [seconds[(seconds >= low) & (seconds <= high)] for low, high in support]


def _at(y: Any, seconds: ndarray) -> ndarray:
    """A pynapple label at these times: its nearest sample."""
    times, values = np.asarray(y.t), np.asarray(y.values)
    right = np.searchsorted(times, seconds).clip(1, len(times) - 1)
    nearer = np.abs(seconds - times[right - 1]) <= np.abs(times[right] - seconds)
    return values[right - nearer]
