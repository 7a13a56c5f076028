"""Events and behaviour in NWB files: tables of intervals, and time series that are not the recording itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from numpy import ndarray

from data_loaders.formats.channels import listed
from data_loaders.formats.clocks import WILD, Series

if TYPE_CHECKING:
    import pynwb

# of which kind a trial is: the first of these columns that has more than one value
KINDS = (
    "trial_type",
    "condition",
    "stimulus",
    "stimulus_name",
    "stimulus_id",
    "image_id",
    "orientation",
    "target_id",
    "direction",
)
_BOUNDS = ("start_time", "stop_time")
# wider series are features or images, not behaviour
_WIDEST = 64
# longer series are no list of what happened
_MANY = 100_000


def series_of(nwb: pynwb.NWBFile, told: list[str]) -> dict[str, Series]:
    """Every series of numbers in acquisition, stimulus and processing, but voltages, fluorescence and images."""
    found: dict[str, Series] = {}
    left: list[str] = []
    for series in _all_series(nwb):
        if _is_behaviour(series):
            found[_free(series, found)] = Series(
                times_of(series), _values(series), _names(series), str(series.unit or "")
            )
        elif not _is_signal(series) and not _is_annotation(series):
            left.append(f"{series.name} ({type(series).__name__})")
    if left:
        told.append(f"series that are no behaviour are left in the file: {listed(left)}")
    return found


def times_of(series: pynwb.TimeSeries) -> Float[ndarray, "time"]:
    """Seconds of each value, from timestamps or from start and rate. Raises ValueError that names the series."""
    if series.timestamps is not None:
        return np.asarray(
            series.timestamps[()] if hasattr(series.timestamps, "shape") else series.timestamps, dtype=float
        )
    return float(series.starting_time or 0.0) + np.arange(len(series.data)) / rate_of(series)


def rate_of(series: pynwb.TimeSeries) -> float:
    """Hertz of a series without timestamps. Raises ValueError where it is no number above 0."""
    rate = float(series.rate) if series.rate is not None else np.nan
    if not (np.isfinite(rate) and rate > 0):
        raise ValueError(
            f"{_file(series)}: {series.name} has the rate {rate:g} Hz, expected a number above 0: mend `rate` in the file"
        )
    return rate


def events_of(nwb: pynwb.NWBFile, told: list[str]) -> tuple[pd.DataFrame | None, Float[ndarray, "span 2"]]:
    """Trials, epochs, other intervals, tables of events and annotations as events in seconds, and the spans that are called invalid."""
    from pynwb.epoch import TimeIntervals

    tables: list[pd.DataFrame] = []
    invalid = np.zeros((0, 2))
    # tables of events are younger than the pynwb that we ask for
    for table in (
        one for one in nwb.objects.values() if isinstance(one, TimeIntervals) or type(one).__name__ == "EventsTable"
    ):
        if table.name == "invalid_times":
            invalid = np.stack([np.asarray(table[name][:], dtype=float) for name in _BOUNDS], 1).reshape(-1, 2)
        elif len(table):
            tables.append(_intervals(table, told))
    happened = [series for series in _all_series(nwb) if _is_annotation(series) and len(series.data)]
    tables += [_annotations(series) for series in happened]
    if names := [series.name for series in happened if _is_now_and_then(series)]:
        told.append(f"series of what happened now and then are events: {listed(names)}")
    if not tables:
        return None, invalid
    joined = pd.concat(tables, ignore_index=True)
    words = [name for name in joined if not pd.api.types.is_numeric_dtype(joined[name])]
    return joined.assign(**{n: joined[n].where(joined[n].notna(), "n/a") for n in words}), invalid


def _all_series(nwb: pynwb.NWBFile) -> Iterator[pynwb.TimeSeries]:
    from pynwb import TimeSeries

    yield from sorted((one for one in nwb.objects.values() if isinstance(one, TimeSeries)), key=lambda one: one.name)


def _is_signal(series: pynwb.TimeSeries) -> bool:
    from pynwb.ecephys import ElectricalSeries
    from pynwb.ophys import RoiResponseSeries

    return isinstance(series, ElectricalSeries | RoiResponseSeries)


def _is_annotation(series: pynwb.TimeSeries) -> bool:
    """True for what happened now and then (texts, licks, rewards): it has times, and no rate."""
    from pynwb.misc import AnnotationSeries, IntervalSeries

    return isinstance(series, AnnotationSeries | IntervalSeries) or _is_now_and_then(series)


def _is_now_and_then(series: pynwb.TimeSeries) -> bool:
    """Numbers that the file calls events, or seconds apart at no rate: put on a clock, they would lose their times."""
    from pynwb.behavior import BehavioralEvents

    if series.timestamps is None or np.ndim(series.data) != 1 or _is_signal(series):
        return False
    if isinstance(series.parent, BehavioralEvents):
        return True
    steps = np.diff(times_of(series)) if 2 < len(series.data) < _MANY else np.zeros(0)
    typical = float(np.median(steps)) if len(steps) else 0.0
    return typical > 1.0 and bool(np.mean(np.abs(steps / typical - np.round(steps / typical)) > WILD) > 0.1)


def _is_behaviour(series: pynwb.TimeSeries) -> bool:
    from pynwb.icephys import PatchClampSeries
    from pynwb.image import ImageSeries, IndexSeries
    from pynwb.misc import DecompositionSeries

    other = isinstance(series, PatchClampSeries | ImageSeries | IndexSeries | DecompositionSeries)
    if other or _is_signal(series) or _is_annotation(series) or series.data is None:
        return False
    shape = np.shape(series.data)
    numbers = (
        np.dtype(getattr(series.data, "dtype", type(series.data[0]) if len(series.data) else float)).kind in "fiub"
    )
    return numbers and len(shape) in (1, 2) and shape[0] > 1 and (len(shape) == 1 or shape[1] <= _WIDEST)


def _values(series: pynwb.TimeSeries) -> ndarray:
    values = np.asarray(series.data[()] if hasattr(series.data, "shape") else series.data)
    scale, offset = float(series.conversion), float(series.offset)
    return values if (scale, offset) == (1.0, 0.0) else values * scale + offset


def _names(series: pynwb.TimeSeries) -> tuple[str, ...]:
    from pynwb.behavior import SpatialSeries

    width = np.shape(series.data)[1] if np.ndim(series.data) == 2 else 1
    return ("x", "y", "z")[:width] if isinstance(series, SpatialSeries) and 1 < width <= 3 else ()


def _free(series: pynwb.TimeSeries, taken: dict[str, Series]) -> str:
    name = series.name.replace("/", "_")
    parent = series.parent.name.replace("/", "_") if series.parent is not None else ""
    return name if name not in taken else f"{parent}_{name}"


def _file(series: pynwb.TimeSeries) -> str:
    """The name of the file that a series lies in."""
    from pathlib import Path

    return Path(series.container_source or "the file").name


def _intervals(table: Any, told: list[str]) -> pd.DataFrame:
    """One event per interval or row; `trial_type` is the kind of it, else the table's name."""
    instants = "timestamp" in table.colnames and "start_time" not in table.colnames
    onset, duration = _instants(table) if instants else _spans(table, told)
    columns: dict[str, Any] = {"onset": onset, "duration": duration}
    for name in table.colnames:
        if name not in (("timestamp", "duration") if instants else _BOUNDS):
            columns |= _columns(name, table[name])
    frame = pd.DataFrame(columns)
    kind = next((k for k in KINDS if k in frame and frame[k].nunique() > 1), None)
    return frame.assign(trial_type=table.name if kind is None else [_label(kind, v) for v in frame[kind]])


def _instants(table: Any) -> tuple[ndarray, "ndarray"]:
    """Onsets and durations of a table of events, of which some or all have no duration."""
    onset = np.asarray(table["timestamp"][:], dtype=float)
    stated = np.asarray(table["duration"][:], dtype=float) if "duration" in table.colnames else np.zeros(len(onset))
    return onset, np.nan_to_num(stated)


def _spans(table: Any, told: list[str]) -> tuple[ndarray, "ndarray"]:
    start, stop = (np.asarray(table[name][:], dtype=float) for name in _BOUNDS)
    wrong = stop < start
    if wrong.any():
        told.append(
            f"{table.name}: {wrong.sum()} of {len(start)} intervals stop before they start: their duration is left open"
        )
    return start, np.where(wrong, np.nan, stop - start)


def _columns(name: str, column: Any) -> dict[str, Any]:
    """A column of plain values, or of a few numbers each; lists and references are no columns of events."""
    from hdmf.common import DynamicTableRegion, VectorIndex

    if isinstance(column, VectorIndex | DynamicTableRegion):
        return {}
    values = np.asarray(column[:])
    if values.dtype.kind in "fiub" and values.ndim == 1:
        return {name: values.astype(float)}
    if values.dtype.kind in "fiub" and values.ndim == 2 and values.shape[1] <= 4:
        return {f"{name}_{i}": values[:, i].astype(float) for i in range(values.shape[1])}
    if values.ndim == 1 and values.dtype.kind in "OSU" and all(isinstance(v, str | bytes) for v in values):
        return {name: [v.decode() if isinstance(v, bytes) else str(v) for v in values]}
    return {}


def _label(kind: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    return "none" if value != value else f"{kind.removesuffix('_id')}-{value:.3g}"


def _annotations(series: pynwb.TimeSeries) -> pd.DataFrame:
    """Texts with a time; an IntervalSeries has +1 where an interval of that name begins and -1 where it ends.

    What else happened now and then is called after its series, its numbers are the column `value`.
    """
    from pynwb.misc import IntervalSeries

    times = times_of(series)
    data = np.asarray(series.data[:])
    if data.dtype.kind not in "fiub":
        kinds = [v.decode() if isinstance(v, bytes) else str(v) for v in data]
        return pd.DataFrame({"onset": times, "duration": 0.0, "trial_type": kinds})
    if not isinstance(series, IntervalSeries):
        return pd.DataFrame(
            {"onset": times, "duration": 0.0, "trial_type": series.name, "value": _values(series).astype(float)}
        )
    on, off = times[data > 0], times[data < 0]
    duration = off - on if len(on) == len(off) and np.all(off >= on) else np.full(len(on), np.nan)
    return pd.DataFrame({"onset": on, "duration": duration, "trial_type": series.name})
