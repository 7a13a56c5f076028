"""The events of plain arrays: labels of trials, positions along other axes, a marker channel, or variables with onsets."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from numpy import ndarray

from data_loaders.formats.array_files import variable
from data_loaders.formats.events import empty_events, trials

_SECONDS = {"s": 1.0, "ms": 1e-3}


def events_of(
    path: Path,
    arrays: Mapping[str, ndarray],
    description: Mapping[str, Any],
    axes: Mapping[str, int],
    n_times: int,
    sfreq: float,
) -> tuple[pd.DataFrame, Float[ndarray, "segment 2"] | None, list[str]]:
    """Events and segments. `axes` are those besides channel and time, with their lengths; none for a continuous signal."""
    if not axes:
        return _continuous(path, arrays, description, n_times, sfreq), None, []
    at = np.indices(tuple(axes.values())).reshape(len(axes), -1)  # [axis, trial]
    columns: dict[str, Any] = dict(zip(axes, at, strict=True))
    zero = round(-float(description.get("tmin", 0.0)) * sfreq)
    columns = _labelled(path, arrays, description, columns, axes)
    return trials(at.shape[1], n_times, zero, sfreq, columns)


def _labelled(
    path: Path,
    arrays: Mapping[str, ndarray],
    description: Mapping[str, Any],
    columns: dict[str, Any],
    axes: Mapping[str, int],
) -> dict[str, Any]:
    if "labels" not in description:
        conditions = [axis for axis in axes if axis not in ("trial", "block")]
        kinds = (
            _named(columns[conditions[0]], description)
            if len(conditions) == 1
            else np.full(len(next(iter(columns.values()))), "trial")
        )
        return {"trial_type": kinds} | columns
    if "trial" not in axes:
        raise ValueError(
            f"{path.name}: labels need an axis `trial`, axes has {list(axes)}: call one of them trial, or take labels away"
        )
    stated = description["labels"]
    labels = np.ravel(variable(path, arrays, "labels", stated) if isinstance(stated, str) else np.asarray(stated))
    if len(labels) != axes["trial"]:
        raise ValueError(
            f"{path.name} has {axes['trial']} trials but {len(labels)} labels: name the variable with one label for each trial"
        )
    each = labels[columns["trial"]]
    if each.dtype.kind == "f" and not np.all(each == np.round(each)):
        return {"value": each} | columns
    return {"trial_type": _named(each, description)} | ({"value": each} if each.dtype.kind in "fiu" else {}) | columns


def _named(codes: ndarray, description: Mapping[str, Any]) -> list[str]:
    """Codes as text, by the names in `names` or `codes` where these have them."""
    stated = description.get("names") or description.get("codes") or {}
    names = {str(code): str(name) for code, name in stated.items()} if isinstance(stated, Mapping) else {}
    texts = [
        str(int(code)) if isinstance(code, np.number) and code == round(float(code)) else str(code) for code in codes
    ]
    return [names.get(text, text) for text in texts]


def _continuous(
    path: Path, arrays: Mapping[str, ndarray], description: Mapping[str, Any], n_times: int, sfreq: float
) -> pd.DataFrame:
    if "trigger" in description:
        return _triggered(
            path, np.ravel(variable(path, arrays, "trigger", description["trigger"])), description, n_times, sfreq
        )
    if "events" in description:
        return _listed(path, arrays, description["events"], description, sfreq)
    return empty_events()


def _triggered(path: Path, marker: ndarray, description: Mapping[str, Any], n_times: int, sfreq: float) -> pd.DataFrame:
    if len(marker) != n_times:
        raise ValueError(
            f"{path.name}: the trigger has {len(marker)} samples, the signal {n_times}: name the variable with one number per sample"
        )
    begins = np.flatnonzero((marker != 0) & (np.diff(marker, prepend=0) != 0))
    known = {float(code) for code in description.get("codes", [])}
    begins = np.array([sample for sample in begins if not known or float(marker[sample]) in known], dtype=int)
    if known and not len(begins):
        raise ValueError(
            f"{path.name}: the trigger has none of the codes {sorted(known)} but {np.unique(marker)[:8].tolist()}: mend codes"
        )
    codes = marker[begins]
    table = {
        "onset": begins / sfreq,
        "duration": np.zeros(len(begins)),
        "trial_type": _named(codes, description),
        "value": codes,
    }
    return pd.DataFrame(table)


def _listed(
    path: Path, arrays: Mapping[str, ndarray], stated: Mapping[str, str], description: Mapping[str, Any], sfreq: float
) -> pd.DataFrame:
    if "onset" not in stated:
        raise ValueError(
            f"the sidecar of {path.name} has events without onsets: write `events: {{onset: NAME, trial_type: NAME, unit: s}}`"
        )
    unit = stated.get("unit", "s")
    if unit not in (*_SECONDS, "samples"):
        raise ValueError(
            f"the sidecar of {path.name} has onsets in {unit!r}, expected s, ms or samples: write `unit: s` in events"
        )
    columns = {
        key: np.ravel(variable(path, arrays, f"events.{key}", name)) for key, name in stated.items() if key != "unit"
    }
    lengths = {key: len(column) for key, column in columns.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(
            f"{path.name}: the events have columns of unequal length {lengths}: name variables with one entry per event"
        )
    seconds = _SECONDS.get(unit, 1 / sfreq)
    times = {key: columns[key] * seconds for key in ("onset", "duration") if key in columns}
    kinds = {"trial_type": _named(columns.get("trial_type", np.full(lengths["onset"], "event")), description)}
    return pd.DataFrame({"duration": np.zeros(lengths["onset"])} | columns | times | kinds)
