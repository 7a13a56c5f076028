"""Voltages in NWB: one ElectricalSeries, raw or LFP, with its electrodes, scaled without loss of its integers."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from numpy import ndarray

from data_loaders.formats import nwb
from data_loaders.formats.assemble import Found
from data_loaders.formats.channels import Channels
from data_loaders.formats.clocks import Series, shifted, to_stream
from data_loaders.formats.electrodes import columns_of, in_metres
from data_loaders.formats.events import empty_events
from data_loaders.formats.integers import Samples, gathered
from data_loaders.formats.naming import guess_intracranial
from data_loaders.formats.nwb_tables import events_of, rate_of, series_of, times_of
from data_loaders.formats.session import common, streams_of

if TYPE_CHECKING:
    import pynwb

_NAMES = ("channel_name", "label", "electrode_name", "name")
_COORDINATES = ("x", "y", "z", "group", "group_name", *_NAMES)


def read_electrical(path: Path, description: Mapping[str, Any]) -> Found:
    """What one ElectricalSeries of a file holds; seconds count from its first sample.

    `signal` in the sidecar names the series where there are several. Raises ValueError that names the file.
    """
    notes: list[str] = []
    with nwb.opened(path, notes) as file:
        series = _one(file, path, description, notes)
        channels = _channels(series, path, description, notes)
        samples, sfreq, start, pieces = _signal(series, len(channels.names), path, notes)
        streams, others = streams_of(shifted(series_of(file, notes), start), path.name, notes)
        events, invalid = events_of(file, notes)
        people = nwb.demographics(file)
    duration = len(samples.signal) / sfreq
    segments = common(np.array([[0.0, duration]]) if pieces is None else pieces - start, others, notes)
    return Found(
        channels=channels, sfreq=sfreq, n_times=len(samples.signal), read=lambda index: _some(samples, index),
        events=_with_invalid(events, invalid, start), segments=segments, streams=streams, demographics=people, notes=notes,
    )  # fmt: skip


def _one(
    file: pynwb.NWBFile, path: Path, description: Mapping[str, Any], notes: list[str]
) -> pynwb.ecephys.ElectricalSeries:
    """The series that the sidecar names, the only one, or the only LFP."""
    from pynwb.ecephys import LFP, ElectricalSeries

    found = {one.name: one for one in file.objects.values() if type(one) is ElectricalSeries}
    names = ", ".join(f"{name} {np.shape(one.data)}" for name, one in sorted(found.items()))
    if "signal" in description:
        if str(description["signal"]) not in found:
            near = (difflib.get_close_matches(str(description["signal"]), found, 1, 0.0) or ["NAME"])[0]
            raise ValueError(
                f"{path.name} has no ElectricalSeries {description['signal']!r} but {names or 'none'}: write `signal: {near}`"
            )
        return found[str(description["signal"])]
    lfp = [one for one in found.values() if isinstance(one.parent, LFP) or "lfp" in one.name.lower()]
    if not found or (len(found) > 1 and len(lfp) != 1):
        raise ValueError(
            f"{path.name} has {len(found)} ElectricalSeries ({names}): say which by `signal: NAME` in a sidecar"
        )
    if len(found) > 1:
        notes.append(f"of {names}, {lfp[0].name} is read: state `signal: NAME` in a sidecar for another")
    return lfp[0] if len(found) > 1 else next(iter(found.values()))


def _signal(
    series: pynwb.ecephys.ElectricalSeries, n_chans: int, path: Path, notes: list[str]
) -> tuple[Samples, "float", "float", ndarray | None]:
    """Volts, rate, time of the first sample, and the pieces between gaps where there are timestamps."""
    data = series.data
    if np.ndim(data) == 2 and np.shape(data)[1] != n_chans and np.shape(data)[0] == n_chans:
        notes.append(f"{series.name} is stored as [channel, time], against the standard: turned")
        data = np.asarray(data[()]).T
    if np.ndim(data) not in (1, 2) or (np.shape(data)[1] if np.ndim(data) == 2 else 1) != n_chans:
        raise ValueError(
            f"{path.name}: {series.name} has the shape {np.shape(data)} but {n_chans} electrodes: expected [time, electrode]"
        )
    if len(data) < 2:
        raise ValueError(
            f"{path.name}: {series.name} has {len(data)} samples, which is no recording: leave the file out with `exclude`"
        )
    pieces = None
    if series.timestamps is None:
        sfreq, start = rate_of(series), float(series.starting_time or 0.0)
    else:
        stream, pieces, told = to_stream(series.name, Series(times_of(series), data[()]), path.name, signal=True)
        data, sfreq, start = stream.values, stream.sfreq, stream.start
        notes.extend(told)
    gain, offset = _steps(series, n_chans, path)
    whole = (gain, offset) if np.dtype(data.dtype).kind in "iu" else ()

    def read(low: int, high: int) -> Float[ndarray, "channel some"]:
        return np.asarray(data[low:high], dtype=np.float64).reshape(-1, n_chans).T * gain[:, None] + offset[:, None]

    return gathered(read, len(data), n_chans, *whole), sfreq, start, pieces


def _steps(series: pynwb.ecephys.ElectricalSeries, n_chans: int, path: Path) -> tuple[ndarray, ndarray]:
    """Volts per step and volts at 0: data * conversion * channel_conversion + offset, as the standard has it."""
    per_channel = (
        np.ones(n_chans) if series.channel_conversion is None else np.asarray(series.channel_conversion[:], dtype=float)
    )
    if len(per_channel) != n_chans:
        raise ValueError(
            f"{path.name}: {series.name} has {n_chans} electrodes but {len(per_channel)} values of channel_conversion"
        )
    gain = float(series.conversion) * per_channel
    if not (np.isfinite(gain).all() and (gain != 0).all() and np.isfinite(series.offset)):
        raise ValueError(
            f"{path.name}: {series.name} has a conversion of {gain.min():g} to {gain.max():g} volts per step: expected numbers other than 0"
        )
    return gain, np.full(n_chans, float(series.offset))


def _channels(
    series: pynwb.ecephys.ElectricalSeries, path: Path, description: Mapping[str, Any], notes: list[str]
) -> Channels:
    rows = series.electrodes.to_dataframe()
    names = _names(rows)
    groups = [getattr(group, "name", str(group)) for group in rows["group"]] if "group" in rows else [""] * len(rows)
    points = np.stack([_numbers(rows[axis]) if axis in rows else np.full(len(rows), np.nan) for axis in "xyz"], 1)
    positions, told = in_metres(points, str(description.get("position_unit", "n/a")), path.name)
    notes.extend(told)
    plain = rows[[name for name in rows if name not in _COORDINATES and _is_plain(rows[name])]]
    columns = {**columns_of(plain), "group": tuple(groups)}
    types = tuple(_type(name, group) for name, group in zip(names, _described(rows, groups), strict=True))
    told = (
        f"types of contacts by the names of their groups: {', '.join(sorted(set(types)))}; else state `ch_types: ecog`"
    )
    return Channels(names, types, positions, notes=(told,), columns=columns)


def _names(rows: pd.DataFrame) -> tuple[str, ...]:
    """The names of the contacts where they tell them apart, else elec with the electrode's id."""
    for column in _NAMES:
        if column in rows and rows[column].astype(str).nunique() == len(rows):
            return tuple(rows[column].astype(str))
    return tuple(f"elec{i}" for i in rows.index)


def _described(rows: pd.DataFrame, groups: Sequence[str]) -> list[str]:
    """Name, description and device of each contact's group in one text."""
    if "group" not in rows:
        return list(groups)
    return [
        " ".join(
            [name, str(getattr(group, "description", "")), str(getattr(getattr(group, "device", None), "name", ""))]
        )
        for name, group in zip(groups, rows["group"], strict=True)
    ]


def _type(name: str, group: str) -> str:
    """ecog or dbs where the contact or its group says so, else seeg, MNE's word for a contact inside the brain."""
    kind = guess_intracranial(name)
    words = {"ecog": ("ecog", "grid", "strip", "subdural", "surface"), "dbs": ("dbs", "subthalamic", "deep brain")}
    found = next((kind for kind, some in words.items() if any(word in group.lower() for word in some)), "seeg")
    return kind if kind in ("ecog", "dbs") else found


def _numbers(column: pd.Series) -> ndarray:
    return pd.to_numeric(column, errors="coerce").to_numpy(dtype=float)


def _is_plain(column: pd.Series) -> bool:
    return all(isinstance(value, str | int | float | bool | np.number | np.bool_) for value in column)


def _some(samples: Samples, index: Sequence[int]) -> Samples:
    if list(index) == list(range(samples.signal.shape[1])):
        return samples
    at = list(index)
    steps = (None, None) if samples.gain is None or samples.offset is None else (samples.gain[at], samples.offset[at])
    return Samples(samples.signal[:, at], *steps)


def _with_invalid(events: pd.DataFrame | None, invalid: ndarray, start: float) -> pd.DataFrame:
    """The events counted from the first sample, with what the file calls invalid as BAD spans."""
    bad = pd.DataFrame({"onset": invalid[:, 0], "duration": invalid[:, 1] - invalid[:, 0], "trial_type": "BAD_invalid"})
    tables = [table for table in (events, bad if len(bad) else None) if table is not None]
    joined = pd.concat(tables, ignore_index=True) if tables else empty_events()
    return joined.assign(onset=joined["onset"] - start)
