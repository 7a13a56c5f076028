"""Sorted units in NWB: spike times, where each unit was observed, its electrodes, and every column of the units table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from numpy import ndarray

from data_loaders.formats import nwb
from data_loaders.formats.clocks import overlap, shifted
from data_loaders.formats.electrodes import columns_of, in_metres
from data_loaders.formats.events import without
from data_loaders.formats.nwb_tables import events_of, series_of
from data_loaders.formats.spike_session import SpikeSession, unit_of_each

if TYPE_CHECKING:
    import pynwb

# what datasets call the verdict of the sorter or the curator, the first that is there
QUALITY = ("quality", "label", "group", "KSLabel", "ks_label", "unit_quality", "decoder_label")


def load(path: Path, description: Mapping[str, Any], entities: Mapping[str, str]) -> SpikeSession:
    """The units, behaviour and trials of a file, in seconds from its zero. Raises ValueError that names the file.

    `obs_intervals` give the segments: the stretches in which all units that have any were observed.
    """
    notes: list[str] = []
    with nwb.opened(path, notes) as file:
        units = file.units
        if units is None or not len(units) or "spike_times" not in units.colnames:
            raise ValueError(
                f"{path.name} has no units with spike_times: it holds no sorted spikes; leave it out with `exclude`"
            )
        times, index = _ragged(units, "spike_times", path)
        columns, positions = _columns(file, path, description, notes)
        events, invalid = events_of(file, notes)
        session = SpikeSession(
            entities=entities, ch_names=_names(units), times=times, units=index, series=series_of(file, notes), events=events,
            segments=_observed(units, path, notes), columns=columns, positions=positions, demographics=nwb.demographics(file),
        )  # fmt: skip
    session = _from_zero(session, notes)
    if len(invalid):
        whole = np.array([[0.0, float(np.max(times, initial=0.0))]]) if session.segments is None else session.segments
        notes.append(f"{len(invalid)} spans that the file calls invalid are left out of the segments")
        session = replace(session, segments=without(whole, invalid))
    return replace(session, decisions=tuple(notes))


def _ragged(units: pynwb.misc.Units, name: str, path: Path) -> tuple[ndarray, "ndarray"]:
    """All values of a ragged column one after the other, and the row of each."""
    column = units[name]
    ends = np.asarray(column.data[:]).astype(np.int64)
    values = np.asarray(column.target.data[:])
    return values, unit_of_each(ends, len(values), path.name)


def _names(units: pynwb.misc.Units) -> tuple[str, ...]:
    if "unit_name" in units.colnames:
        names = tuple(str(name) for name in units["unit_name"][:])
        if len(set(names)) == len(names):
            return names
    return tuple(f"unit{i}" for i in np.asarray(units.id[:]).tolist())


def _observed(units: pynwb.misc.Units, path: Path, notes: list[str]) -> Float[ndarray, "segment 2"] | None:
    if "obs_intervals" not in units.colnames:
        return None
    values, rows = _ragged(units, "obs_intervals", path)
    each = {tuple(map(tuple, np.asarray(values[rows == row], dtype=float).reshape(-1, 2))) for row in np.unique(rows)}
    sets = [np.array(sorted(one)) for one in each]
    if not sets:
        return None
    left = sets[0]
    for one in sets[1:]:
        left = overlap(left, one)
    if len(sets) > 1:
        notes.append(f"units were observed over {len(sets)} different sets of intervals: segments are where all were")
    if not len(left):
        raise ValueError(f"{path.name}: there is no stretch in which all units were observed (obs_intervals): keep units of one "
                         f"stretch, or mend obs_intervals in the file")  # fmt: skip
    return left


def _columns(
    file: pynwb.NWBFile, path: Path, description: Mapping[str, Any], notes: list[str]
) -> tuple[dict[str, tuple[Any, ...]], ndarray | None]:
    """Plain columns of the units table, the verdict under `quality`, the region; and where units sit, by their electrodes."""
    units = file.units
    plain = {name: np.asarray(units[name][:]) for name in units.colnames if _is_plain(units[name])}
    found = columns_of(pd.DataFrame({name: list(values) for name, values in plain.items() if values.ndim == 1}))
    quality = next((found[name] for name in QUALITY if name in found), None)
    found |= {} if quality is None else {"quality": tuple(map(str, quality))}
    if "electrode_group" in units.colnames:
        groups = list(units["electrode_group"][:])
        found["group"] = tuple(group.name for group in groups)
        found.setdefault("region", tuple(str(group.location) for group in groups))
    if "electrodes" not in units.colnames or file.electrodes is None:
        return found, None
    _, rows = _ragged(units, "electrodes", path)
    at = np.asarray(units["electrodes"].target.data[:]).astype(np.int64)
    if len(at) and not (at.min() >= 0 and at.max() < len(file.electrodes)):
        raise ValueError(
            f"{path.name}: units point at electrode {at.max()}, but there are {len(file.electrodes)}: mend `electrodes`"
        )
    mine = [at[rows == unit] for unit in range(len(units))]
    if "location" in file.electrodes.colnames and "region" not in plain:
        where = [str(value) for value in file.electrodes["location"][:]]
        found["region"] = tuple("/".join(dict.fromkeys(where[i] for i in one)) for one in mine)
    return found, _positions(file, mine, path, description, notes)


def _is_plain(column: Any) -> bool:
    from hdmf.common import DynamicTableRegion, VectorIndex

    kind = np.dtype(getattr(column.data, "dtype", None) or type(column.data[0])).kind if len(column.data) else "f"
    return (not isinstance(column, VectorIndex | DynamicTableRegion) and kind in "fiubSU") or _is_text(column)


def _is_text(column: Any) -> bool:
    from hdmf.common import VectorIndex

    return not isinstance(column, VectorIndex) and len(column.data) > 0 and isinstance(column.data[0], str | bytes)


def _positions(
    file: pynwb.NWBFile, mine: Sequence[ndarray], path: Path, description: Mapping[str, Any], notes: list[str]
) -> Float[ndarray, "unit 3"] | None:
    axes = [name for name in "xyz" if name in file.electrodes.colnames]
    if len(axes) < 3:
        return None
    points = np.stack([np.asarray(file.electrodes[name][:], dtype=float) for name in axes], 1)
    positions, told = in_metres(points, str(description.get("position_unit", "n/a")), path.name)
    notes.extend(told)
    return np.array([positions[one].mean(0) if len(one) else np.full(3, np.nan) for one in mine])


def _from_zero(session: SpikeSession, notes: list[str]) -> SpikeSession:
    """Sessions that count from a trigger have negative times: everything is moved so that the earliest second is 0."""
    first = [session.times, *(series.times for series in session.series.values())]
    earliest = min((float(np.nanmin(times)) for times in first if len(times)), default=0.0)
    if not earliest < 0 or not np.isfinite(earliest):
        return session
    start = float(np.floor(earliest))
    notes.append(f"the earliest time is {earliest:g} s: {-start:g} s are added to all times")
    events = None if session.events is None else session.events.assign(onset=session.events["onset"] - start)
    segments = None if session.segments is None else session.segments - start
    times = np.asarray(session.times, dtype=float) - start
    return replace(session, times=times, series=shifted(session.series, start), events=events, segments=segments)
