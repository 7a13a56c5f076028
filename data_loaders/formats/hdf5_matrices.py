"""Matrices in HDF5 by a sidecar: responses of voxels or regions, one file per stimulus, or one for all repeats of it.

modality: fmri
pattern: "preprocessed_data/{subject}/{task}.hf5"
tr: 2.0045
axes: [time, channel]               # or [channel, time]
signal: data                        # the dataset; may be left out where there is only one matrix
repeats: individual_repeats         # [repeat, *axes]: where a file has it, every repeat is a recording, run 1, 2, ...
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from jaxtyping import Float
from numpy import ndarray

from data_loaders.formats.scan import DamagedError, reading
from data_loaders.formats.source import Source

SUFFIXES = (".hf5", ".h5", ".hdf5")


def each_repeat(source: Source) -> list[Source]:
    """The source itself, or one for each repeat that its file holds."""
    name = source.description.get("repeats")
    n = _n_repeats(source.path, str(name)) if name is not None and source.path.suffix.lower() in SUFFIXES else 0
    told = [({"run": str(k + 1)}, {"repeat": k}) for k in range(n)]
    return [
        replace(source, entities={**source.entities, **run}, description={**source.description, **which})
        for run, which in told
    ] or [source]


def matrix(path: Path, description: Mapping[str, Any]) -> Float[ndarray, "row column"]:
    """The matrix that the sidecar names, as it lies, in float32. Only that is read: a file may hold ten repeats of a gigabyte.

    Raises DamagedError where the file is none that h5py opens, ValueError where it has no such matrix.
    """
    with reading(path), h5py.File(path) as file:
        shapes = {name: item.shape for name, item in file.items() if isinstance(item, h5py.Dataset)}
    name = _name(path, description, shapes)
    with reading(path), h5py.File(path) as file:
        dataset: Any = file[name]
        values = dataset[description["repeat"]] if "repeat" in description else dataset[:]
    if values.ndim != 2 or values.dtype.kind not in "fiu" or not values.size:
        raise ValueError(
            f"{path.name}: {name} has the shape {values.shape} and holds {values.dtype}, expected a matrix of numbers: name "
            f"another dataset in `signal`"
        )
    return values.astype(np.float32)


def _name(path: Path, description: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]]) -> str:
    key = "repeats" if "repeat" in description else "signal"
    matrices = [name for name, shape in shapes.items() if len(shape) == 2]
    name = str(description.get(key, matrices[0] if len(matrices) == 1 else ""))
    if name not in shapes:
        asked = f"no dataset {name!r} ({key} in the sidecar)" if name else f"{len(matrices)} matrices"
        raise ValueError(f"{path.name} has {asked}; it has {sorted(shapes)}: write `{key}: NAME` with one of these")
    return name


def _n_repeats(path: Path, name: str) -> int:
    """How many there are; none in a damaged file, which is told when it is read."""
    try:
        with reading(path), h5py.File(path) as file:
            dataset = file.get(name)
            return len(dataset) if isinstance(dataset, h5py.Dataset) and dataset.ndim == 3 else 0
    except DamagedError:
        return 0
