"""Sorted spikes in plain arrays (.npz, .mat), described by the sidecar's `spikes` key:

    modality: spikes
    subject: c
    spikes:
      times: spike_times             # array [spike], seconds; in .mat also a cell with one array per unit
      units: spike_units             # array [spike], counted from 0; or, where spikes lie unit after unit,
      # splits: spike_times_index    # array [unit], where each unit's spikes end, as in NWB
      sfreq: 30000                   # only where times are whole ticks of a clock
      coding: steps                  # only where each time is kept as the difference from the one before
      ch_names: unit_ids             # array or list of the units' names; left out, unit0, unit1, ...
      streams:
        hand_vel: {values: vel, sfreq: 100, start: 0.02, unit: cm/s, names: [x, y]}
        pupil: {values: pupil, timestamps: pupil_times}
      trials: {onset: trial_start, stop: trial_stop, trial_type: target, result: outcome}
      segments: [[0.0, 617.2]]       # or an array [segment, 2]; left out, all of it
      duration: 617.3                # seconds; left out, to the last spike, value or segment
      demographics: {species: Macaca mulatta, sex: M}

Every word that stands for an array is its name in the file. `trials` may give `duration` in place of `stop`; its other
columns become columns of the events.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy import ndarray

from data_loaders.formats.array_files import load_arrays, variable
from data_loaders.formats.clocks import Series
from data_loaders.formats.spike_session import SpikeSession

_KEYS = {
    "times",
    "units",
    "splits",
    "sfreq",
    "coding",
    "ch_names",
    "streams",
    "trials",
    "segments",
    "duration",
    "demographics",
}
_STREAM_KEYS = {"values", "timestamps", "sfreq", "start", "unit", "names"}


def load(path: Path, stated: Mapping[str, Any], entities: Mapping[str, str]) -> SpikeSession:
    """The session that `stated` (the sidecar's `spikes`) finds in the file."""
    _check_keys(stated, _KEYS, "spikes", path)
    arrays = _Arrays(path)
    times, units = _spikes(arrays, stated, path)
    return SpikeSession(
        entities=entities, ch_names=_names(arrays, stated, units), times=times, units=units,
        series={name: _series(arrays, name, s, path) for name, s in stated.get("streams", {}).items()},
        events=_trials(arrays, stated.get("trials"), path), segments=_segments(arrays, stated.get("segments")),
        duration=None if stated.get("duration") is None else float(stated["duration"]),
        demographics=stated.get("demographics", {}),
    )  # fmt: skip


class _Arrays:
    """The arrays of a file by name; a wrong name is answered with the nearest."""

    def __init__(self, path: Path) -> None:
        self.path, self._arrays = path, load_arrays(path)

    def __call__(self, name: str, key: str) -> ndarray:
        return variable(self.path, self._arrays, f"spikes.{key}", name)


def _check_keys(stated: Mapping[str, Any], known: set[str], where: str, path: Path) -> None:
    for key in stated:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1, cutoff=0.0)[0]
            raise ValueError(f"the sidecar of {path.name} has {where}.{key}: did you mean {where}.{near}?")


def _spikes(arrays: _Arrays, stated: Mapping[str, Any], path: Path) -> tuple[ndarray, "ndarray"]:
    times = arrays(stated.get("times", "spike_times"), "times")
    if times.dtype == object:  # a MATLAB cell: one array per unit
        lists = [np.atleast_1d(np.asarray(one, dtype=np.float64)) for one in times]
        times, units = np.concatenate(lists), np.repeat(np.arange(len(lists)), [len(one) for one in lists])
    elif "splits" in stated:
        ends = arrays(stated["splits"], "splits").astype(np.int64)
        units = np.repeat(np.arange(len(ends)), np.diff(ends, prepend=0))
    else:
        units = arrays(stated.get("units", "spike_units"), "units").astype(np.int64)
    return _seconds(times, stated, path), units


def _seconds(times: ndarray, stated: Mapping[str, Any], path: Path) -> ndarray:
    coding = stated.get("coding", "times")
    if coding not in ("times", "steps"):
        raise ValueError(
            f"the sidecar of {path.name} has spikes.coding {coding!r}: write steps (differences) or leave it out"
        )
    whole = np.cumsum(times, dtype=np.int64 if times.dtype.kind in "iu" else np.float64) if coding == "steps" else times
    return np.asarray(whole, dtype=np.float64) / float(stated.get("sfreq", 1.0))


def _names(arrays: _Arrays, stated: Mapping[str, Any], units: ndarray) -> tuple[str, ...]:
    names = stated.get("ch_names")
    if names is None:
        return tuple(f"unit{i}" for i in range(int(units.max(initial=-1)) + 1))
    return tuple(str(name) for name in (arrays(names, "ch_names") if isinstance(names, str) else names))


def _series(arrays: _Arrays, name: str, stated: Mapping[str, Any], path: Path) -> Series:
    _check_keys(stated, _STREAM_KEYS, f"spikes.streams.{name}", path)
    if ("timestamps" in stated) == ("sfreq" in stated):
        raise ValueError(
            f"the sidecar of {path.name} must give spikes.streams.{name} either timestamps or sfreq: add one of them"
        )
    values = arrays(stated.get("values", name), f"streams.{name}.values")
    if "timestamps" in stated:
        times = arrays(stated["timestamps"], f"streams.{name}.timestamps")
    else:
        times = float(stated.get("start", 0.0)) + np.arange(len(values)) / float(stated["sfreq"])
    return Series(times, values, tuple(stated.get("names", ())), str(stated.get("unit", "")))


def _trials(arrays: _Arrays, stated: Mapping[str, str] | None, path: Path) -> pd.DataFrame | None:
    if stated is None:
        return None
    if "onset" not in stated:
        raise ValueError(
            f"the sidecar of {path.name} gives spikes.trials without onset: name the array of starts, such as `onset: NAME`"
        )
    columns = {name: np.atleast_1d(arrays(array, f"trials.{name}")) for name, array in stated.items()}
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(
            f"{path.name}: the columns of spikes.trials have different lengths, {lengths}: give one value for each trial"
        )
    if "stop" in columns:
        columns["duration"] = columns.pop("stop") - columns["onset"]
    table = pd.DataFrame(
        {name: column.astype(str) if column.dtype.kind in "SU" else column for name, column in columns.items()}
    )
    defaults = {"duration": 0.0, "trial_type": "trial"}
    return table.assign(**{name: value for name, value in defaults.items() if name not in table})


def _segments(arrays: _Arrays, stated: Any) -> ndarray | None:
    if stated is None:
        return None
    return np.asarray(arrays(stated, "segments") if isinstance(stated, str) else stated, dtype=float).reshape(-1, 2)
