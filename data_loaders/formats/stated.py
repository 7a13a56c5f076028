"""What sidecars state of sessions of cells, spiking or glowing: behaviour, trials and segments, in the file or beside it.

    streams:
      hand_vel: {values: vel, sfreq: 100, start: 0.02, unit: cm/s, names: [x, y]}
      position: {file: tracking.csv, values: x, timestamps: t}        # .csv .tsv .npy .npz .mat, relative to the recording
      place: {values: [0, 1, 2, 3], repeat: 10, sfreq: 4}             # numbers may be written out
    trials: {onset: trial_start, stop: trial_stop, trial_type: target, result: outcome}
    segments: [[0.0, 617.2]]       # or an array [segment, 2]; left out, all of it
    duration: 617.3                # seconds; left out, to the last spike, value or segment
    demographics: {species: Macaca mulatta, sex: M}

Every word that stands for an array is its name in the file. `trials` may give `duration` in place of `stop`; its other
columns become columns of the events.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy import ndarray

from data_loaders.formats.array_files import load_arrays, variable
from data_loaders.formats.clocks import Series

KEYS = frozenset({"streams", "trials", "segments", "duration", "demographics"})
_STREAM_KEYS = {"values", "timestamps", "sfreq", "start", "unit", "names", "file", "repeat"}


class Arrays:
    """The arrays that a sidecar means: by name in the recording's file (or folder of .npy), or written out as a list.

    `where` is the sidecar's key (spikes, calcium), for messages.
    """

    def __init__(self, path: Path, where: str) -> None:
        self.path, self.where = path, where
        self._loaded: dict[Path, dict[str, ndarray]] = {}

    def __call__(self, stated: Any, key: str, file: str | None = None) -> ndarray:
        """One array. `file` lies beside the recording; a wrong name is answered with the nearest."""
        if not isinstance(stated, str):
            return np.asarray(stated)
        folder = self.path if self.path.is_dir() else self.path.parent
        path = folder / file if file else self.path / f"{stated}.npy" if self.path.is_dir() else self.path
        if not path.is_file():
            raise ValueError(
                f"{self.path.name}: {self.where}.{key} needs {path}, which does not exist: mend the name in the sidecar"
            )
        if path not in self._loaded:
            self._loaded[path] = load_arrays(path)
        own = self._loaded[path]
        return next(iter(own.values())) if path.suffix == ".npy" else variable(path, own, f"{self.where}.{key}", stated)


def files_of(description: Mapping[str, Any], path: Path) -> list[Path]:
    """The files beside a recording that its sidecar names: they are read along with it."""
    folder = path if path.is_dir() else path.parent
    return [folder / name for name in dict.fromkeys(_files(description)) if (folder / name).is_file()]


def _files(stated: Any) -> Iterator[str]:
    if isinstance(stated, Mapping):
        for key, value in stated.items():
            yield from [str(value)] if key == "file" else _files(value)


def check_keys(stated: Mapping[str, Any], known: Collection[str], where: str, path: Path) -> None:
    """Refuses a key that no reader knows, with the nearest one."""
    for key in stated:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1, cutoff=0.0)[0]
            raise ValueError(f"the sidecar of {path.name} has {where}.{key}: did you mean {where}.{near}?")


def series_of(arrays: Arrays, stated: Mapping[str, Any]) -> dict[str, Series]:
    """The streams by name. Raises ValueError where one has no clock, or two."""
    return {name: one_series(arrays, name, about) for name, about in stated.get("streams", {}).items()}


def one_series(arrays: Arrays, name: str, stated: Mapping[str, Any]) -> Series:
    """Values with their times."""
    where, file = f"{arrays.where}.streams.{name}", stated.get("file")
    check_keys(stated, _STREAM_KEYS, where, arrays.path)
    if ("timestamps" in stated) == ("sfreq" in stated):
        raise ValueError(
            f"the sidecar of {arrays.path.name} must give {where} either timestamps or sfreq: add one of them"
        )
    values = arrays(stated.get("values", name), f"streams.{name}.values", file)
    values = np.squeeze(np.concatenate([values] * int(stated.get("repeat", 1))))
    if "timestamps" in stated:
        times = np.ravel(arrays(stated["timestamps"], f"streams.{name}.timestamps", file))
    else:
        times = float(stated.get("start", 0.0)) + np.arange(len(np.atleast_1d(values))) / _rate(
            stated["sfreq"], where, arrays.path
        )
    return Series(times, values, tuple(stated.get("names", ())), str(stated.get("unit", "")))


def _rate(stated: Any, where: str, path: Path) -> float:
    rate = float(stated)
    if not (np.isfinite(rate) and rate > 0):
        raise ValueError(f"the sidecar of {path.name} has {where}.sfreq {rate:g}: expected hertz above 0, such as 100")
    return rate


def trials_of(arrays: Arrays, stated: Mapping[str, Any] | None) -> pd.DataFrame | None:
    """The trials as events. Raises ValueError where they have no onset, or columns of unequal length."""
    if stated is None:
        return None
    name, file = arrays.path.name, stated.get("file")
    if "onset" not in stated:
        raise ValueError(
            f"the sidecar of {name} gives {arrays.where}.trials without onset: name the array of starts, such as `onset: NAME`"
        )
    columns = {
        key: np.atleast_1d(arrays(array, f"trials.{key}", file)).ravel()
        for key, array in stated.items()
        if key != "file"
    }
    lengths = {key: len(column) for key, column in columns.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(
            f"{name}: the columns of {arrays.where}.trials have different lengths, {lengths}: give one value for each trial"
        )
    if "stop" in columns:
        columns["duration"] = columns.pop("stop") - columns["onset"]
    table = pd.DataFrame(
        {key: column.astype(str) if column.dtype.kind in "SUO" else column for key, column in columns.items()}
    )
    defaults = {"duration": 0.0, "trial_type": "trial"}
    return table.assign(**{key: value for key, value in defaults.items() if key not in table})


def segments_of(arrays: Arrays, stated: Any) -> ndarray | None:
    """[start, stop) seconds of each segment, or None where none are stated."""
    if stated is None:
        return None
    values = np.asarray(arrays(stated, "segments"), dtype=float)
    if values.size % 2 or not values.size:
        raise ValueError(
            f"{arrays.path.name}: {arrays.where}.segments has {values.size} numbers, expected a start and a stop for each"
        )
    return values.reshape(-1, 2)
