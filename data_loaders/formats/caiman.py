"""HDF5 files of CaImAn (`cnm.save`): denoised traces, dF/F or deconvolved activity of each component, and its verdict.

`estimates/C` [cell, frame], `estimates/F_dff`, `estimates/S`, `estimates/idx_components` (accepted), `estimates/A` (where each
is in the image, sparse), `dims`, `params/data/fr`. Options: `data_loaders.formats.calcium_session`; `traces` is C unless stated.
Layout: https://caiman.readthedocs.io/en/latest/Getting_Started.html#result-variables-for-2p-batch-analysis
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy import ndarray

from data_loaders.formats.calcium_session import CalciumSession, beside, positions_in_image

_SCORES = {"SNR_comp": "snr", "r_values": "r_value", "cnn_preds": "cnn_prediction"}


def is_caiman(path: Path) -> bool:
    """True where an HDF5 file has estimates of traces; opens the header only."""
    try:
        with h5py.File(path) as file:
            return "estimates" in file and "C" in file["estimates"]
    except (OSError, RuntimeError):
        return False


def load(path: Path, description: Mapping[str, Any], entities: Mapping[str, str]) -> CalciumSession:
    """The components of a file. Raises ValueError that names it."""
    stated = dict(description.get("calcium", {}))
    name, also = str(stated.get("traces", "C")), [str(one) for one in stated.get("also", [])]
    try:
        with h5py.File(path) as file:
            arrays = {one: _traces(file, one, path) for one in dict.fromkeys([name, *also])}
            columns = _columns(file, len(arrays[name]), path)
            rate = description.get("sfreq", _number(file, "params/data/fr"))
            told = () if "accepted" in columns else (_unjudged(file),)
    except (OSError, RuntimeError, KeyError, TypeError, IndexError) as error:
        raise ValueError(f"{path.name} cannot be read ({type(error).__name__}: {str(error)[:200]}): it is truncated or damaged: copy it "
                         f"again, or leave it out with `exclude: [{path.name}]`") from error  # fmt: skip
    around = beside(path, stated)
    return CalciumSession(
        entities=entities, traces=arrays[name].T, ch_names=tuple(f"cell{i}" for i in range(len(arrays[name]))), name=name,
        unit="dF/F" if name == "F_dff" else "n/a", sfreq=None if rate is None or around["times"] is not None else float(rate),
        also={one: arrays[one].T for one in also}, columns=columns, positions=positions_in_image(columns, stated),
        default={"accepted": 1} if "accepted" in columns else {}, decisions=(f"the traces are {name}", *told), **around,
    )  # fmt: skip


def _traces(file: h5py.File, name: str, path: Path) -> ndarray:
    there = sorted(key for key, item in file["estimates"].items() if isinstance(item, h5py.Dataset) and item.ndim == 2)
    if name not in there:
        raise ValueError(
            f"{path.name} has no traces {name!r}: write `calcium: {{traces: {there[0] if there else 'C'}}}`, one of {there}"
        )
    return np.asarray(file["estimates"][name][()])


def _columns(file: h5py.File, n_cells: int, path: Path) -> dict[str, tuple[Any, ...]]:
    estimates, columns = file["estimates"], {}
    if _is_array(estimates, "idx_components"):
        verdict = np.asarray(estimates["idx_components"][()])
        accepted = np.flatnonzero(verdict) if verdict.dtype.kind == "b" else verdict.astype(np.int64)
        if accepted.size and (accepted.min() < 0 or accepted.max() >= n_cells):
            raise ValueError(
                f"{path.name}: idx_components names component {accepted.max()}, but there are {n_cells}: it is damaged"
            )
        columns["accepted"] = tuple(np.isin(np.arange(n_cells), accepted).astype(int).tolist())
    for key, name in _SCORES.items():
        if _is_array(estimates, key) and estimates[key].shape == (n_cells,):
            columns[name] = tuple(np.asarray(estimates[key][()], dtype=float).tolist())
    return columns | _centres(file, n_cells)


def _unjudged(file: h5py.File) -> str:
    there = (
        "is no list of numbers" if isinstance(file["estimates"].get("idx_components"), h5py.Group) else "says nothing"
    )
    return f"all components come in, rejected ones among them: idx_components {there}"


def _is_array(group: h5py.Group, name: str) -> bool:
    """CaImAn writes the word NoneType for what was not computed."""
    return (
        name in group
        and isinstance(group[name], h5py.Dataset)
        and group[name].ndim == 1
        and group[name].dtype.kind in "fiub"
    )


def _centres(file: h5py.File, n_cells: int) -> dict[str, tuple[float, ...]]:
    """The centre of mass of each component in pixels; the image is stored column by column."""
    from scipy.sparse import csc_matrix

    dims = next((file[key][()] for key in ("dims", "estimates/dims") if key in file and file[key].shape == (2,)), None)
    if dims is None or not {"data", "indices", "indptr", "shape"} <= set(file["estimates"].get("A", ())):
        return {}
    parts = file["estimates"]["A"]
    shapes = csc_matrix(
        (parts["data"][()], parts["indices"][()], parts["indptr"][()]), tuple(int(n) for n in parts["shape"][()])
    )
    if shapes.shape != (int(np.prod(dims)), n_cells):
        return {}
    pixel = np.arange(shapes.shape[0])
    weight = np.maximum(np.asarray(shapes.sum(0)).ravel(), 1e-12)
    x, y = (np.asarray(shapes.T @ axis).ravel() / weight for axis in (pixel // int(dims[0]), pixel % int(dims[0])))
    return {"x_pixel": tuple(x.tolist()), "y_pixel": tuple(y.tolist())}


def _number(file: h5py.File, name: str) -> float | None:
    value = file[name][()] if name in file and isinstance(file[name], h5py.Dataset) else None
    value = value.item() if isinstance(value, np.ndarray) and value.size == 1 else value
    return float(value) if isinstance(value, int | float | np.number) else None
