"""The arrays in .npz, .npy and .mat files, and the columns of tables, by name."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy import ndarray

from data_loaders.formats.separators import dialect


def load_arrays(path: Path) -> dict[str, ndarray]:
    """Every array of a .npz or .mat (also version 7.3), or column of a .csv or .tsv, by name; structs are flattened with dots."""
    try:
        if path.suffix.lower() == ".npz":
            # opened here: numpy leaves a damaged file open
            with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
                return {name: file[name] for name in file.files}
        if path.suffix.lower() == ".npy":
            return {path.stem: np.load(path, allow_pickle=False)}
        if path.suffix.lower() in (".csv", ".tsv"):
            table = pd.read_csv(path, na_values=["n/a"], encoding="utf-8-sig", **dialect(path))
            return {str(name): column.to_numpy() for name, column in table.items()}
        return _flattened(_load_mat(path))
    except Exception as error:
        raise ValueError(f"{path.name} cannot be read ({type(error).__name__}: {str(error)[:200]}): it is truncated or of another format: "
                         f"save it again, or leave it out with `exclude: [{path.name}]`") from error  # fmt: skip


def _load_mat(path: Path) -> dict[str, Any]:
    import h5py
    from scipy.io import loadmat

    if not h5py.is_hdf5(path):
        stated = loadmat(path, simplify_cells=True)
        return {name: value for name, value in stated.items() if not name.startswith("__")}
    found: dict[str, Any] = {}
    with h5py.File(path) as file:
        # MATLAB writes its axes in reverse order into HDF5
        file.visititems(
            lambda name, item: (
                found.update({name.replace("/", "."): item[()].T}) if isinstance(item, h5py.Dataset) else None
            )
        )
    return found


def _flattened(stated: Mapping[str, Any], prefix: str = "") -> dict[str, ndarray]:
    flat: dict[str, ndarray] = {}
    for name, value in stated.items():
        flat |= (
            _flattened(value, f"{prefix}{name}.")
            if isinstance(value, Mapping)
            else {f"{prefix}{name}": np.asarray(value)}
        )
    return flat


def variable(path: Path, arrays: Mapping[str, ndarray], key: str, name: Any) -> ndarray:
    """One array by name. Raises ValueError that names the sidecar's key and the nearest name."""
    if str(name) not in arrays:
        nearest = (difflib.get_close_matches(str(name), list(arrays), 1) or ["NAME"])[0]
        raise ValueError(
            f"{path.name} has no variable {str(name)!r} ({key} in the sidecar), it has {sorted(arrays)}: write `{key}: {nearest}`"
        )
    return arrays[str(name)]
