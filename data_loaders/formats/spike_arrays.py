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
      columns: {quality: labels, region: area}        # what else is known of each unit, for `keep` and Pick

Streams, trials, segments, duration and demographics are described in `data_loaders.formats.stated`, which units to keep in
`data_loaders.formats.keep`. Every word that stands for an array is its name in the file.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray

from data_loaders.formats.spike_session import SpikeSession, unit_of_each
from data_loaders.formats.stated import KEYS, Arrays, check_keys, segments_of, series_of, trials_of

# seconds: whole numbers beyond are taken for ticks of a clock
_DAY = 86_400
_KEYS = KEYS | {"times", "units", "splits", "sfreq", "coding", "ch_names", "columns"}


def load(path: Path, stated: Mapping[str, Any], entities: Mapping[str, str]) -> SpikeSession:
    """The session that `stated` (the sidecar's `spikes`) finds in the file."""
    check_keys(stated, _KEYS, "spikes", path)
    arrays = Arrays(path, "spikes")
    times, units = _spikes(arrays, stated, path)
    names = _names(arrays, stated, units)
    return SpikeSession(
        entities=entities, ch_names=names, times=times, units=units, series=series_of(arrays, stated),
        events=trials_of(arrays, stated.get("trials")), segments=segments_of(arrays, stated.get("segments")),
        columns={name: _column(arrays, name, array, len(names)) for name, array in stated.get("columns", {}).items()},
        duration=None if stated.get("duration") is None else float(stated["duration"]),
        demographics=stated.get("demographics", {}),
    )  # fmt: skip


def _column(arrays: Arrays, name: str, stated: Any, n_units: int) -> tuple[Any, ...]:
    values = np.ravel(arrays(stated, f"columns.{name}"))
    if len(values) != n_units:
        raise ValueError(
            f"{arrays.path.name}: spikes.columns.{name} has {len(values)} entries for {n_units} units: give one for each"
        )
    return tuple(values.astype(float).tolist() if values.dtype.kind in "fiub" else map(str, values))


def _spikes(arrays: Arrays, stated: Mapping[str, Any], path: Path) -> tuple[ndarray, "ndarray"]:
    times = arrays(stated.get("times", "spike_times"), "times")
    if times.dtype == object:  # a MATLAB cell: one array per unit
        lists = [np.atleast_1d(np.asarray(one, dtype=np.float64)) for one in times]
        times, units = np.concatenate(lists), np.repeat(np.arange(len(lists)), [len(one) for one in lists])
    elif "splits" in stated:
        ends = arrays(stated["splits"], "splits").astype(np.int64)
        units = unit_of_each(ends, len(times), path.name)
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
    if "sfreq" not in stated and whole.dtype.kind in "iu" and whole.max(initial=0) > _DAY:
        raise ValueError(f"{path.name}: spike times are whole numbers up to {whole.max():,}, which would be {whole.max() / _DAY:.1f} days: "
                         f"state the clock they count in `spikes: {{sfreq: 30000}}` (hertz; 1 for seconds)")  # fmt: skip
    return np.asarray(whole, dtype=np.float64) / float(stated.get("sfreq", 1.0))


def _names(arrays: Arrays, stated: Mapping[str, Any], units: ndarray) -> tuple[str, ...]:
    names = stated.get("ch_names")
    if names is None:
        return tuple(f"unit{i}" for i in range(int(units.max(initial=-1)) + 1))
    return tuple(str(name) for name in (arrays(names, "ch_names") if isinstance(names, str) else names))
