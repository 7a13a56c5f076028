"""Plain arrays, .npz and .mat, that a small sidecar describes.

Trials that were cut, `meg_epochs.yaml` beside `meg_epochs.npz`:

    modality: meg
    signal: data                       # the variable that holds the signal; needed where there are several arrays
    axes: [trial, channel, time]       # each axis of it, in order
    sfreq: 60.06                       # hertz, or the variable that holds it
    tmin: -0.2                         # seconds from time zero to the first sample of a trial
    unit: T/m                          # V mV uV nV T nT pT fT T/m fT/cm; n/a for numbers without a unit
    ch_names: channel_names            # a list, or the variable that holds them
    ch_types: grad                     # a word for all, a list, a map from name to type, or a variable
    gain: gain                         # whole numbers: the variable with the size of a step, one per channel, in `unit`
    offset: offset                     # and with what a 0 stands for; left out, steps of 1 from 0
    ch_positions: positions            # the variable [channel, 3], metres in head coordinates
    labels: cond_idx                   # one label per trial: the variable, or a list
    names: {1: left, 2: right}         # what the labels (or codes) are called; others keep their number

A continuous signal with markers, `brainfm.yaml` beside `S1.mat`, `S2.mat`: `axes: [time, channel]` and

    trigger: trig                      # one number per sample; an event begins where it changes to another than 0
    codes: {1: target, -1: nontarget}  # only these become events; left out, all of them do

or `events: {onset: t_on, trial_type: kind, unit: s}`, variables with one entry per event; unit is s, ms or samples.

Axes are `channel` and `time`, `trial` with `labels`, `block` (a repetition, in the events' column `block`) and any other
word, such as `condition` or `target`: each combination of these is one segment with one event, whose columns are the
positions along each axis, counted from 0. Without `labels`, the position along the axis that is neither trial nor block
is the event's trial_type. Subjects and sessions come as for all files (`data_loaders.formats.sidecar`).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray

from data_loaders.formats.array_events import events_of
from data_loaders.formats.array_files import load_arrays, variable
from data_loaders.formats.assemble import Found
from data_loaders.formats.channels import Channels
from data_loaders.formats.integers import Samples, gathered

_UNITS = {
    **{unit: ("V", scale) for unit, scale in (("V", 1.0), ("mV", 1e-3), ("uV", 1e-6), ("µV", 1e-6), ("nV", 1e-9))},
    **{unit: ("T", scale) for unit, scale in (("T", 1.0), ("nT", 1e-9), ("pT", 1e-12), ("fT", 1e-15))},
    "T/m": ("T", 1.0), "fT/cm": ("T", 1e-13), "n/a": ("n/a", 1.0),
}  # fmt: skip
_EXAMPLES = {
    "sfreq": "sfreq: 250", "unit": "unit: uV", "axes": "axes: [trial, channel, time]",
}  # fmt: skip


def read_arrays(path: Path, description: Mapping[str, Any]) -> Found:
    """What a .npz or .mat holds, as its sidecar describes it. Raises ValueError that names the line that is missing."""
    for key in ("axes", "sfreq", "unit"):
        _needed(path, description, key)
    arrays = load_arrays(path)
    name = _signal_name(path, arrays, description)
    axes = [str(axis) for axis in description["axes"]]
    signal = _numbers(path, name, arrays[name], axes)
    sfreq = _rate(path, arrays, description)
    unit, scale = _unit(path, description)
    order = [axis for axis in axes if axis not in ("channel", "time")]
    data = np.moveaxis(
        signal, [axes.index("channel"), *(axes.index(a) for a in order), axes.index("time")], range(len(axes))
    )
    n_chans, n_times = data.shape[0], data.shape[-1]
    flat = data.reshape(n_chans, -1)  # [channel, trials and time]
    channels = _channels(path, arrays, description, n_chans)
    gain, offset = (_per_channel(path, arrays, description, key, n_chans) * scale for key in ("gain", "offset"))
    events, segments, notes = events_of(
        path, arrays, description, dict(zip(order, data.shape[1:-1], strict=True)), n_times, sfreq
    )
    return Found(
        channels=channels, sfreq=sfreq, n_times=flat.shape[1], events=events, segments=segments, notes=notes,
        read=lambda index: _samples(flat[list(index)], gain[list(index)], offset[list(index)]),
        guess="ch_types" not in description, rename=True, unit=unit if unit == "n/a" else None,
    )  # fmt: skip


def _samples(flat: ndarray, gain: ndarray, offset: ndarray) -> Samples:
    """The samples in SI units; whole numbers stay whole in the store."""
    steps = (gain, offset) if flat.dtype.kind in "iu" else ()
    return gathered(
        lambda start, stop: flat[:, start:stop] * gain[:, None] + offset[:, None], flat.shape[1], len(flat), *steps
    )


def _per_channel(
    path: Path, arrays: Mapping[str, ndarray], description: Mapping[str, Any], key: str, n_chans: int
) -> ndarray:
    """Gain (1 where it is not stated) or offset (0) of each channel, in the sidecar's unit."""
    if key not in description:
        return np.full(n_chans, {"gain": 1.0, "offset": 0.0}[key])
    stated = description[key]
    values = np.ravel(variable(path, arrays, key, stated) if isinstance(stated, str) else np.asarray(stated)).astype(
        float
    )
    if len(values) not in (1, n_chans):
        raise ValueError(
            f"{path.name} has {n_chans} channels but {key} has {len(values)} entries: give one for each, in order"
        )
    return np.broadcast_to(values, n_chans)


def _needed(path: Path, description: Mapping[str, Any], key: str) -> Any:
    if key not in description:
        raise ValueError(
            f"the sidecar of {path.name} does not say its {key}: add the line `{_EXAMPLES[key]}` to {path.stem}.yaml beside it"
        )
    return description[key]


def _signal_name(path: Path, arrays: Mapping[str, ndarray], description: Mapping[str, Any]) -> str:
    if "signal" in description:
        variable(path, arrays, "signal", description["signal"])
        return str(description["signal"])
    fitting = [
        name
        for name, array in arrays.items()
        if array.ndim == len(description["axes"]) and array.dtype.kind in "fiu" and array.size > 1
    ]
    if len(fitting) != 1:
        raise ValueError(f"{path.name} has {len(fitting)} arrays of {len(description['axes'])} axes, {fitting}: "
                         f"say which is the signal by the line `signal: {fitting[0] if fitting else 'NAME'}`")  # fmt: skip
    return fitting[0]


def _numbers(path: Path, name: str, signal: ndarray, axes: list[str]) -> ndarray:
    if signal.ndim != len(axes) or len(set(axes)) != len(axes) or not {"channel", "time"} <= set(axes):
        raise ValueError(f"{path.name}: {name} has the shape {signal.shape}, but axes is {axes}: name each of its {signal.ndim} axes once, "
                         f"channel and time among them, such as `{_EXAMPLES['axes']}`")  # fmt: skip
    return signal


def _rate(path: Path, arrays: Mapping[str, ndarray], description: Mapping[str, Any]) -> float:
    stated = description["sfreq"]
    value = float(np.ravel(variable(path, arrays, "sfreq", stated))[0]) if isinstance(stated, str) else float(stated)
    if not (value > 0 and np.isfinite(value)):
        raise ValueError(f"{path.name}: sfreq is {value:g}, expected hertz above 0: write for example `sfreq: 250`")
    return value


def _unit(path: Path, description: Mapping[str, Any]) -> tuple[str, float]:
    unit = str(description["unit"])
    if unit not in _UNITS:
        raise ValueError(
            f"the sidecar of {path.name} has unit {unit!r}, expected one of {sorted(_UNITS)}: write for example `unit: uV`"
        )
    return _UNITS[unit]


def _channels(path: Path, arrays: Mapping[str, ndarray], description: Mapping[str, Any], n_chans: int) -> Channels:
    names = _texts(path, arrays, "ch_names", description.get("ch_names"), [f"ch{i + 1:03d}" for i in range(n_chans)])
    kinds = description.get("ch_types")
    default = {"eeg": "eeg", "ieeg": "seeg"}.get(str(description["modality"]), "mag")
    if isinstance(kinds, Mapping) or kinds is None:
        types = [default] * n_chans
    elif isinstance(kinds, str) and kinds not in arrays:
        types = [kinds] * n_chans
    else:
        types = _texts(path, arrays, "ch_types", kinds, [])
    for key, values in (("ch_names", names), ("ch_types", types)):
        if len(values) != n_chans:
            raise ValueError(
                f"{path.name} has {n_chans} channels but {key} has {len(values)} entries: give one for each, in order"
            )
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{path.name} has two channels called {twice!r}: give each a name of its own in ch_names")
    return Channels(tuple(names), tuple(types), _positions(path, arrays, description, n_chans))


def _positions(path: Path, arrays: Mapping[str, ndarray], description: Mapping[str, Any], n_chans: int) -> ndarray:
    if "ch_positions" not in description:
        return np.full((n_chans, 3), np.nan)
    positions = variable(path, arrays, "ch_positions", description["ch_positions"]).astype(float)
    if positions.shape != (n_chans, 3):
        raise ValueError(
            f"{path.name}: ch_positions has the shape {positions.shape}, expected ({n_chans}, 3): x, y, z in metres for each channel"
        )
    return positions


def _texts(path: Path, arrays: Mapping[str, ndarray], key: str, stated: Any, default: list[str]) -> list[str]:
    if stated is None:
        return default
    values = variable(path, arrays, key, stated).ravel() if isinstance(stated, str) else stated
    return [str(value).strip() for value in values]
