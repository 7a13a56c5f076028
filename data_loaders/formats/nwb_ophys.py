"""Fluorescence in NWB: a RoiResponseSeries, dF/F where there is one, with the columns of its plane segmentation."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from numpy import ndarray

from data_loaders.formats import nwb
from data_loaders.formats.calcium_session import CalciumSession, positions_in_image
from data_loaders.formats.electrodes import columns_of
from data_loaders.formats.nwb_tables import events_of, rate_of, series_of, times_of

if TYPE_CHECKING:
    import pynwb

# neither neuropil nor inferred spikes are what is meant by the fluorescence
_ASIDE = ("neuropil", "deconvol", "spike", "background", "event")


def load(path: Path, description: Mapping[str, Any], entities: Mapping[str, str]) -> CalciumSession:
    """The cells of one series; `signal` in the sidecar names it where there are several. Raises ValueError that names the file."""
    notes: list[str] = []
    stated = dict(description.get("calcium", {}))
    with nwb.opened(path, notes) as file:
        found = {one.name: one for one in file.objects.values() if type(one).__name__ == "RoiResponseSeries"}
        main = _one(found, path, description, notes)
        traces, columns, names = _traces(main, path, notes), *_rois(main, path)
        neuropil = next((one for name, one in found.items() if "neuropil" in name.lower() and one is not main), None)
        events, invalid = events_of(file, notes)
        return CalciumSession(
            entities=entities, traces=traces, ch_names=names, name=main.name, unit=str(main.unit or "n/a"),
            **_clock(main, description), columns=columns, positions=positions_in_image(columns, stated),
            neuropil=_traces(neuropil, path, notes) if neuropil is not None and "neuropil" in stated else None,
            also={name: _traces(_named(found, name, path), path, notes) for name in stated.get("also", [])},
            default={"iscell": 1} if "iscell" in columns else {}, series=series_of(file, notes), events=events, invalid=invalid,
            demographics=nwb.demographics(file), decisions=tuple(notes),
        )  # fmt: skip


def _named(found: Mapping[str, pynwb.ophys.RoiResponseSeries], name: str, path: Path) -> pynwb.ophys.RoiResponseSeries:
    if name not in found:
        near = (difflib.get_close_matches(name, found, 1, 0.0) or ["NAME"])[0]
        raise ValueError(f"{path.name} has no RoiResponseSeries {name!r} but {sorted(found)}: write {near}")
    return found[name]


def _one(
    found: Mapping[str, pynwb.ophys.RoiResponseSeries], path: Path, description: Mapping[str, Any], notes: list[str]
) -> pynwb.ophys.RoiResponseSeries:
    """The series that the sidecar names, the only one, or the only dF/F."""
    from pynwb.ophys import DfOverF

    if "signal" in description:
        return _named(found, str(description["signal"]), path)
    plain = {name: one for name, one in found.items() if not any(word in name.lower() for word in _ASIDE)} or dict(
        found
    )
    ratios = [one for one in plain.values() if isinstance(one.parent, DfOverF)]
    if len(plain) != 1 and len(ratios) != 1:
        raise ValueError(
            f"{path.name} has the RoiResponseSeries {sorted(found)}: say which by `signal: NAME` in a sidecar"
        )
    main = next(iter(plain.values())) if len(plain) == 1 else ratios[0]
    if len(found) > 1:
        notes.append(
            f"of {', '.join(sorted(found))}, {main.name} is read: state `signal: NAME` in a sidecar for another"
        )
    return main


def _traces(series: pynwb.ophys.RoiResponseSeries, path: Path, notes: list[str]) -> ndarray:
    """[time, cell], in the unit of the series."""
    values = np.asarray(series.data[()] if hasattr(series.data, "shape") else series.data)
    values = values[:, None] if values.ndim == 1 else values
    n_cells = len(series.rois.data)
    if values.ndim == 2 and values.shape[1] != n_cells and values.shape[0] == n_cells:
        notes.append(f"{series.name} is stored as [cell, time], against the standard: turned")
        values = values.T
    if values.ndim != 2 or values.shape[1] != n_cells:
        raise ValueError(
            f"{path.name}: {series.name} has the shape {values.shape} for {n_cells} cells, expected [time, cell]"
        )
    scale, offset = float(series.conversion), float(series.offset)
    return values if (scale, offset) == (1.0, 0.0) else values * scale + offset


def _clock(series: pynwb.ophys.RoiResponseSeries, description: Mapping[str, Any]) -> dict[str, Any]:
    """Timestamps where the file has them; the sidecar's `sfreq` wins."""
    if "sfreq" in description:
        return {"sfreq": float(description["sfreq"])}
    if series.timestamps is None and not series.starting_time:
        return {"sfreq": rate_of(series)}
    return {"times": times_of(series)}


def _rois(series: pynwb.ophys.RoiResponseSeries, path: Path) -> tuple[dict[str, tuple[Any, ...]], tuple[str, ...]]:
    """Plain columns of the plane segmentation, the region of the imaging plane, centres of pixel masks; and names by id."""
    table, at = series.rois.table, np.asarray(series.rois.data[:]).astype(np.int64)
    if len(at) and (at.min() < 0 or at.max() >= len(table)):
        raise ValueError(
            f"{path.name}: {series.name} points at region {at.max()}, but its plane segmentation has {len(table)}: it is damaged"
        )
    plain: dict[str, list[Any]] = {}
    for name in table.colnames:
        if name not in ("image_mask", "pixel_mask", "voxel_mask"):
            plain |= _plain(name, table[name], at)
    columns = columns_of(pd.DataFrame(plain)) if plain else {}
    plane = getattr(table, "imaging_plane", None)
    if plane is not None:
        columns = {"region": (str(plane.location),) * len(at), **columns, "plane": (plane.name,) * len(at)}
    ids = np.asarray(table.id[:])[at]
    return columns | _centres(table, at), tuple(f"cell{i}" for i in ids.tolist())


def _plain(name: str, column: Any, at: ndarray) -> dict[str, list[Any]]:
    from hdmf.common import DynamicTableRegion, VectorIndex

    if isinstance(column, VectorIndex | DynamicTableRegion):
        return {}
    values = np.asarray(column[:])[at]
    if name.lower() == "iscell" and values.ndim == 2 and values.shape[1] == 2:  # as suite2p has it
        return {"iscell": values[:, 0].astype(int).tolist(), "iscell_probability": values[:, 1].tolist()}
    return {name: values.tolist()} if values.ndim == 1 and values.dtype.kind in "fiubSUO" and _simple(values) else {}


def _simple(values: ndarray) -> bool:
    return values.dtype.kind != "O" or all(isinstance(value, str) for value in values)


def _centres(table: Any, at: ndarray) -> dict[str, tuple[float, ...]]:
    """The weighted centre of each region's mask, of pixels or of an image [x, y]."""
    if "pixel_mask" in table.colnames:
        masks = [np.asarray(table["pixel_mask"][int(i)].tolist(), dtype=float).reshape(-1, 3) for i in at]
    elif "image_mask" in table.colnames:
        images = (np.asarray(table["image_mask"][int(i)], dtype=float) for i in at)
        masks = [np.c_[np.argwhere(image), image[np.nonzero(image)]] for image in images]
    else:
        return {}
    centre = [_centre(mask) for mask in masks]
    return {"x_pixel": tuple(float(c[0]) for c in centre), "y_pixel": tuple(float(c[1]) for c in centre)}


def _centre(mask: Float[ndarray, "pixel 3"]) -> Float[ndarray, "2"]:
    """NaN for a region that has no pixels: the others keep their places."""
    if not len(mask):
        return np.full(2, np.nan)
    return np.average(mask[:, :2], axis=0, weights=np.maximum(mask[:, 2], 1e-12))
