"""GIFTI time series, .func.gii: one channel per vertex, the two hemispheres joined."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from data_loaders.formats import space
from data_loaders.formats.scan import DamagedError, Scan, reading

# how names tell the hemispheres apart: BIDS, FreeSurfer, Workbench
_SIDES = (
    (re.compile(r"(?<=hemi-)L(?=_)"), "R"), (re.compile(r"^lh(?=\.)"), "rh"), (re.compile(r"(?<=\.)L(?=\.)"), "R"),
    (re.compile(r"(?<=[._-])lh(?=[._-])"), "rh"), (re.compile(r"(?<=_)L(?=[._])"), "R"),
)  # fmt: skip
_RIGHT = re.compile(r"(?<=hemi-)R(?=_)|^rh(?=\.)|(?<=\.)R(?=\.)|(?<=[._-])rh(?=[._-])|(?<=_)R(?=[._])")


def other_hemisphere(path: Path) -> Path | None:
    """The right hemisphere's file of a left one, by its name; None where the name is of no left one."""
    for left, right in _SIDES:
        if left.search(path.name):
            return path.with_name(left.sub(right, path.name, count=1))
    return None


def is_right(path: Path) -> bool:
    """True where the name is of a right hemisphere."""
    return other_hemisphere(path) is None and _RIGHT.search(path.name) is not None


def read_gifti(paths: Mapping[str, Path], template: str = "") -> Scan:
    """The series of one hemisphere or both, `paths` by `left` and `right`; channels are named `L:vertex` and `R:vertex`.

    Raises ValueError where hemispheres differ in their number of volumes.
    """
    parts = {name: series_of(path) for name, path in paths.items()}
    lengths = {name: len(values) for name, values in parts.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(
            f"{' and '.join(p.name for p in paths.values())} have {list(lengths.values())} volumes: they are not of one run"
        )
    names = tuple(f"{name[0].upper()}:{vertex}" for name, values in parts.items() for vertex in range(values.shape[1]))
    sides = tuple(name for name, values in parts.items() for _ in range(values.shape[1]))
    where = space.surface(np.arange(len(names)), {name: values.shape[1] for name, values in parts.items()}, template)
    alone = () if len(parts) == 2 else (f"only the {next(iter(parts))} hemisphere is there",)
    told = "a GIFTI file does not state its repetition time in a unit"
    return Scan(np.concatenate(list(parts.values()), axis=1), names, np.full((len(names), 3), np.nan), None, told, where,
                ch_columns={"hemisphere": sides}, notes=alone)  # fmt: skip


def series_of(path: Path) -> Float[ndarray, "time vertex"]:
    """All maps of a file, one row each; also where they are the columns of one array."""
    arrays = [np.asarray(array.data) for array in _arrays(path)]
    if len(arrays) == 1 and arrays[0].ndim == 2:
        return np.ascontiguousarray(arrays[0].T, dtype=np.float32)
    if len({array.shape for array in arrays}) != 1 or arrays[0].ndim != 1:
        raise DamagedError(
            path,
            f"its arrays have the shapes {sorted({a.shape for a in arrays})}, expected one value per vertex in each",
        )
    return np.stack(arrays).astype(np.float32)


def labels_of(path: Path) -> tuple[ndarray, dict[int, str]]:
    """The label of each vertex and the names of labels, of a .label.gii."""
    with reading(path):
        image: Any = _loaded(path)
        names = {int(key): str(name) for key, name in image.labeltable.get_labels_as_dict().items()}
    return series_of(path)[0].astype(int), names


def vertices(path: Path) -> Float[ndarray, "vertex 3"]:
    """The positions of a surface's vertices, in metres, of a .surf.gii."""
    with reading(path):
        image: Any = _loaded(path)
        (points,) = image.get_arrays_from_intent("NIFTI_INTENT_POINTSET")
    return 1e-3 * np.asarray(points.data, dtype=float)


def _arrays(path: Path) -> list[Any]:
    with reading(path):
        arrays = _loaded(path).darrays
        if not arrays:
            raise DamagedError(path, "it holds no data array")
        for array in arrays:
            if list(array.dims) != list(np.shape(array.data)):
                raise DamagedError(
                    path, f"an array has {np.shape(array.data)} values where its header says {array.dims}"
                )
    return arrays


def _loaded(path: Path) -> Any:
    import nibabel as nib

    image = nib.load(path)
    if not isinstance(image, nib.GiftiImage):
        raise DamagedError(path, "it is no GIFTI file")
    return image
