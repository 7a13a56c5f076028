"""Plain arrays as recordings: trials [trial, channel, time] and their labels, one recording per subject and session."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Num
from numpy import ndarray

from data_loaders.contracts import Recording


def recordings(
    X: Num[ndarray, "trial channel time"],
    y: Any = None,
    *,
    sfreq: float,
    tmin: float = 0.0,
    ch_names: Sequence[str] | None = None,
    ch_types: Sequence[str] | None = None,
    ch_positions: ndarray | None = None,
    subjects: Sequence[Any] | ndarray | None = None,
    sessions: Sequence[Any] | ndarray | None = None,
    study: str = "arrays",
    modality: str = "eeg",
) -> Iterator[Recording]:
    """Each trial is a segment with one event at its time zero, `tmin` seconds before which it starts.

    Text and whole-number labels become the event's `trial_type`, other numbers its `value`; `trial` counts the rows of X.
    Raises ValueError where lengths disagree or a value is not finite.
    """
    ids = pd.DataFrame(
        {
            "subject": _one_each("subjects", subjects, len(X), "01"),
            "session": _one_each("sessions", sessions, len(X), ""),
        }
    )
    events = _events(X, y)
    _check_finite(X)
    names = [f"ch{i + 1:03d}" for i in range(X.shape[1])] if ch_names is None else list(ch_names)
    if len(names) != X.shape[1]:
        raise ValueError(f"X has {X.shape[1]} channels but ch_names has {len(names)}: give one name per channel")
    common = {
        "study": study, "modality": modality, "sfreq": float(sfreq), "ch_names": tuple(names), "ch_positions": ch_positions,
        "ch_types": tuple(ch_types or [modality] * len(names)), "units": ("",) * len(names),
    }  # fmt: skip
    for (subject, session), rows in ids.groupby(["subject", "session"], sort=False):
        trials = rows.index.to_numpy()
        yield Recording(
            subject=subject, session=session, **common, **_joined(X[trials], events.iloc[trials], sfreq, tmin)
        )


def _joined(X: ndarray, events: pd.DataFrame, sfreq: float, tmin: float) -> dict[str, Any]:
    length = X.shape[2] / sfreq
    start = np.arange(len(X)) * length
    signal = X.transpose(0, 2, 1).reshape(-1, X.shape[1])  # [time, channel]
    events = events.assign(onset=start - tmin, duration=length + tmin).reset_index(drop=True)
    return {
        "signal": signal,
        "events": events,
        "duration": len(X) * length,
        "segments": np.stack([start, start + length], 1),
    }


def _events(X: ndarray, y: Any) -> pd.DataFrame:
    table = pd.DataFrame({"trial": np.arange(len(X))})
    if y is None:
        return table
    labels = np.asarray(y)
    if len(labels) != len(X):
        raise ValueError(f"X has {len(X)} trials but y has {len(labels)} labels: give one label per trial")
    if labels.dtype.kind == "f":
        columns = labels.reshape(len(X), -1).T
        return table.assign(
            **{"value" if len(columns) == 1 else f"value{i}": column for i, column in enumerate(columns)}
        )
    return table.assign(trial_type=[str(label) for label in labels])


def _one_each(name: str, values: Sequence[Any] | ndarray | None, n_trials: int, default: str) -> list[str]:
    values = [default] * n_trials if values is None else values
    if len(values) != n_trials:
        raise ValueError(f"X has {n_trials} trials but {name} has {len(values)} entries: give one per trial")
    return [str(value) for value in values]


def _check_finite(X: ndarray) -> None:
    bad = np.flatnonzero(~np.isfinite(X).all(axis=(1, 2)))
    if len(bad):
        raise ValueError(f"X holds NaN or infinity in {len(bad)} trials (first: trial {bad[0]}): drop or mend them")
