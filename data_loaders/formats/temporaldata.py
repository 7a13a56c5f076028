"""temporaldata HDF5 (torch_brain, brainsets): groups that say in their `object` attribute what they are.

A series with `unit_index` holds the spikes; `units/id` names the units; every other time series becomes streams named
`<group>_<field>` (cursor_pos, cursor_vel); every Interval becomes events, `trials` with all its columns; the top
`domain` less intervals of outliers (`cursor_outlier_segments`) gives the segments; `subject`, `session` and `brainset`
give entities and demographics. Other splits of the session (train_domain, ...) are left alone: recipes split.
Layout: https://github.com/neuro-galaxy/temporaldata
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
from numpy import ndarray

from data_loaders.formats.clocks import Series
from data_loaders.formats.events import without
from data_loaders.formats.spike_session import SpikeSession

# not values of a series: its clock, its index, and the published split
_BOOKKEEPING = {"timestamps", "timestamp_indices_1s", "domain", "train_mask", "valid_mask", "test_mask"}
# columns of a table of trials that say of which kind a trial is, the first that is there
_KINDS = ("trial_type", "condition", "stimulus", "stimulus_id", "image_id", "orientation", "target_id", "target_dir")
_NOT_DEMOGRAPHIC = {"id", "object", "absolute_start", "subject_id"}


def is_temporaldata(path: Path) -> bool:
    """True where the file's root says that it is a temporaldata object; opens the header only.

    An HDF5 file that is cut short cannot say: it is taken for one, so that reading it tells of the damage.
    """
    try:
        with h5py.File(path) as file:
            return _kind(file) == "Data"
    except OSError:
        with path.open("rb") as raw:
            return raw.read(8) == b"\x89HDF\r\n\x1a\n"


def load(path: Path) -> SpikeSession:
    """Everything of one file that a recording has. Raises ValueError where it holds no spikes."""
    with _open(path) as file:
        groups = dict(_groups(file))
        spikes = _spikes(groups, path)
        series, sparse = _series(groups, spikes)
        demographics, told = _demographics(file)
        segments, cut = _segments(file, groups)
        units = spikes["unit_index"][()].astype(np.int64)
        return SpikeSession(
            entities=_entities(file, path), ch_names=_unit_names(file, units), times=spikes["timestamps"][()], units=units,
            series=series, events=_events(groups, sparse), segments=segments, demographics=demographics,
            decisions=(*told, *cut),
        )  # fmt: skip


def _open(path: Path) -> h5py.File:
    try:
        return h5py.File(path)
    except OSError as error:
        raise ValueError(f"{path.name} is not a whole HDF5 file ({error}): fetch it again") from error


def _kind(group: h5py.Group) -> str:
    kind = group.attrs.get("object", "")
    return kind.decode() if isinstance(kind, bytes) else str(kind)


def _groups(group: h5py.Group, prefix: str = "") -> Iterator[tuple[str, h5py.Group]]:
    """Every series and interval below a Data object, by name; `domain` groups belong to their owners."""
    for name, item in group.items():
        if not isinstance(item, h5py.Group) or name == "domain":
            continue
        if _kind(item) == "Data":
            yield from _groups(item, f"{prefix}{name}_")
        else:
            yield prefix + name, item


def _spikes(groups: dict[str, h5py.Group], path: Path) -> h5py.Group:
    found = {name: g for name, g in groups.items() if {"timestamps", "unit_index"} <= set(g)}
    if not found:
        raise ValueError(
            f"{path.name} has no group with timestamps and unit_index, only {sorted(groups)}: it holds no sorted spikes"
        )
    return found.get("spikes", next(iter(found.values())))


def _series(groups: dict[str, h5py.Group], spikes: h5py.Group) -> tuple[dict[str, Series], dict[str, h5py.Group]]:
    """Time series as named series; those without any value (licks, rewards) are returned apart, as events."""
    series: dict[str, Series] = {}
    sparse: dict[str, h5py.Group] = {}
    for name, group in groups.items():
        if "TimeSeries" not in _kind(group) or group == spikes:
            continue
        fields = [
            f
            for f in group
            if f not in _BOOKKEEPING and isinstance(group[f], h5py.Dataset) and group[f].dtype.kind in "fiub"
        ]
        if not fields:
            sparse[name] = group
        elif group[fields[0]].shape[0] > 1:
            series |= {f"{name}_{f}": _one_series(group, f) for f in fields}
    return series, sparse


def _one_series(group: h5py.Group, field: str) -> Series:
    values = group[field][()]
    if "timestamps" in group:
        return Series(group["timestamps"][()], values)
    bounds, rate = _bounds(group["domain"]), float(group.attrs["sampling_rate"])
    times = bounds[0, 0] + np.arange(len(values)) / rate
    # a domain of several stretches marks what was filled in between them
    real = np.any([(times >= low - 0.5 / rate) & (times < high - 0.5 / rate) for low, high in bounds], axis=0)
    real = real if len(bounds) > 1 else np.full(len(values), True)
    return Series(times[real], values[real])


def _events(groups: dict[str, h5py.Group], sparse: dict[str, h5py.Group]) -> pd.DataFrame | None:
    tables = [_table(name, g) for name, g in groups.items() if _kind(g) == "Interval" and not name.endswith("_domain")]
    for name, group in sparse.items():
        if "timestamps" in group:
            tables.append(pd.DataFrame({"onset": group["timestamps"][()], "duration": 0.0, "trial_type": name}))
    tables = [table for table in tables if len(table)]
    if not tables:
        return None
    joined = pd.concat(tables, ignore_index=True)
    words = [name for name in joined if not pd.api.types.is_numeric_dtype(joined[name])]
    return joined.assign(**{name: joined[name].where(joined[name].notna(), "n/a") for name in words})


def _table(name: str, group: h5py.Group) -> pd.DataFrame:
    """One event per interval; `trial_type` is the group's name, for `trials` with the kind of trial behind a slash."""
    bounds = _bounds(group)
    columns = {
        "onset": bounds[:, 0],
        "duration": bounds[:, 1] - bounds[:, 0],
        "trial_type": np.full(len(bounds), name, dtype=object),
    }
    for column in group:
        if column not in {"start", "end"} and isinstance(group[column], h5py.Dataset):
            columns |= _columns(column, group[column])
    table = pd.DataFrame(columns)
    kind = next((c for c in _KINDS if c in table and table[c].nunique() > 1), None) if name == "trials" else None
    return table if kind is None else table.assign(trial_type=[f"trials/{_label(kind, v)}" for v in table[kind]])


def _columns(name: str, dataset: h5py.Dataset) -> dict[str, ndarray]:
    values = dataset.asstr()[()] if h5py.check_string_dtype(dataset.dtype) else dataset[()]
    if values.ndim == 1:
        return {name: values if values.dtype.kind == "O" else values.astype(float)}
    flat = values.reshape(len(values), -1)
    return {f"{name}_{i}": flat[:, i].astype(float) for i in range(flat.shape[1])}


def _label(kind: str, value: Any) -> str:
    stem = kind.removesuffix("_id")
    if isinstance(value, float):
        return "none" if np.isnan(value) else f"{stem}-{value:.3g}"
    return f"{stem}-{value}"


def _segments(file: h5py.File, groups: dict[str, h5py.Group]) -> tuple[ndarray | None, list[str]]:
    """The domain, without the intervals that are published as outliers: they stand where BAD annotations stand in EEG."""
    if "domain" not in file:
        return None, []
    domain = _bounds(file["domain"])
    names = [name for name, group in groups.items() if "outlier" in name and _kind(group) == "Interval"]
    spans = np.concatenate([np.zeros((0, 2)), *(_bounds(groups[name]) for name in names)])
    left = without(domain, spans)
    lost = float(np.sum(domain[:, 1] - domain[:, 0]) - np.sum(left[:, 1] - left[:, 0]))
    return left, [f"{', '.join(names)}: {len(spans)} spans ({lost:.3g} s) are left out of the segments"] if len(
        spans
    ) else []


def _bounds(interval: h5py.Group) -> ndarray:
    return np.stack([interval["start"][()], interval["end"][()]], axis=1).astype(float)


def _unit_names(file: h5py.File, units: ndarray) -> tuple[str, ...]:
    if "units" in file and "id" in file["units"]:
        ids = file["units"]["id"]
        return tuple(map(str, ids.asstr()[()] if h5py.check_string_dtype(ids.dtype) else ids[()]))
    return tuple(f"unit{i}" for i in range(int(units.max(initial=-1)) + 1))


def _attr(file: h5py.File, group: str, name: str) -> str:
    value = file[group].attrs.get(name, "") if group in file else ""
    return value.decode() if isinstance(value, bytes) else str(value)


def _entities(file: h5py.File, path: Path) -> dict[str, str]:
    subject, session = _attr(file, "subject", "id") or "unknown", _attr(file, "session", "id") or path.stem
    study, task = _attr(file, "brainset", "id") or path.parent.name, _attr(file, "session", "task")
    return {"study": study, "subject": _word(subject), "session": _word(session), "task": _word(task)}


def _word(text: str) -> str:
    """Entities are letters and digits only, as in BIDS: c_20131022_center_out -> c20131022CenterOut."""
    first, *rest = "".join(c if c.isalnum() else " " for c in text).split() or [""]
    return first + "".join(part[0].upper() + part[1:] for part in rest)


def _demographics(file: h5py.File) -> tuple[dict[str, Any], list[str]]:
    attrs = dict(file["subject"].attrs) if "subject" in file else {}
    found = {k: v.item() if isinstance(v, np.generic) else v for k, v in attrs.items() if k not in _NOT_DEMOGRAPHIC}
    if found.get("age") == 0.0:
        return {k: v for k, v in found.items() if k != "age"}, [
            "age is 0 in the file, which stands for unknown: left out"
        ]
    return found, []
