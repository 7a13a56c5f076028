"""CIFTI-2 series: .dtseries.nii (one channel per grayordinate) and .ptseries.nii (one per parcel)."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from data_loaders.formats import space
from data_loaders.formats.nifti_scan import positions
from data_loaders.formats.scan import DamagedError, Scan, reading


def read_cifti(path: Path, template: str = "") -> Scan:
    """Series of grayordinates, named `CORTEX_LEFT:vertex` and `THALAMUS_LEFT:i,j,k`, or of parcels by their names.

    Voxels have positions in metres, vertices have none (a surface file gives them).
    """
    values, series, axis = axes_of(path)
    if not hasattr(series, "step"):
        raise ValueError(
            f"{path.name} has no series along its rows but {type(series).__name__}: expected a .dtseries.nii or .ptseries.nii"
        )
    tr = float(series.step) if series.unit == "SECOND" and 0.05 <= series.step <= 30 else None
    told = f"its series has a step of {series.step:g} {series.unit.lower()}"
    with reading(path):
        names, places, columns = (_parcels if hasattr(axis, "nvertices") and hasattr(axis, "voxels") else _models)(axis)
    where = space.grayordinates(np.arange(len(names)), axis, template)
    if len(set(names)) < len(names):
        raise DamagedError(path, "two of its rows have one name")
    return Scan(np.asarray(values, np.float32), names, places, tr, told, where, ch_columns=columns)


def axes_of(path: Path) -> tuple[ndarray, Any, Any]:
    """The matrix of a CIFTI file with the axis along its rows and the one along its columns, their lengths checked."""
    import nibabel as nib

    _check_header(path)
    # nibabel logs what it repairs; repaired files are refused below where it matters
    logging.getLogger("nibabel.global").setLevel(logging.CRITICAL)
    with reading(path), warnings.catch_warnings():
        # what it warns of (shapes that differ) is refused below
        warnings.simplefilter("ignore")
        image: Any = nib.load(path)
        if not hasattr(image.header, "get_axis"):
            raise DamagedError(path, "it is a NIfTI file without the CIFTI header")
        first, second = (image.header.get_axis(i) for i in (0, 1))
        values = np.asarray(image.dataobj)
        if values.shape != (len(first), len(second)):
            raise DamagedError(path, f"it has {values.shape} values for {len(first)} x {len(second)} in its header")
    return values, first, second


def _check_header(path: Path) -> None:
    """Checks what lies around the XML: the NIfTI-2 header and the length of the file."""
    with reading(path), path.open("rb") as file:
        head = file.read(540)
        dim = np.frombuffer(head[16:80], "<i8") if len(head) == 540 else np.zeros(8, "<i8")
        ours = head[:4] == (540).to_bytes(4, "little") and head[4:8] == b"n+2\0"
        if not ours or dim[0] not in (6, 7) or (dim[1:5] != 1).any() or (dim[5:7] < 1).any():
            raise DamagedError(path, "it does not begin like a CIFTI-2 file")
        bits, start = int(np.frombuffer(head[14:16], "<i2")[0]), int(np.frombuffer(head[168:176], "<i8")[0])
        expected = start + int(dim[5]) * int(dim[6]) * bits // 8
        if expected != path.stat().st_size:
            raise DamagedError(path, f"its header asks for {expected:,} bytes, it has {path.stat().st_size:,}")


def _models(axis: Any) -> tuple[tuple[str, ...], Float[ndarray, "channel 3"], dict[str, tuple[Any, ...]]]:
    """Names, positions and the structure of each grayordinate."""
    for name, size in axis.nvertices.items():
        outside = axis.vertex[np.asarray(axis.name) == name] >= size
        if outside.any():
            raise ValueError(f"{outside.sum()} vertices of {name} lie beyond its {size}")
    structure = [str(name).removeprefix("CIFTI_STRUCTURE_") for name in axis.name]
    on_surface = np.asarray(axis.surface_mask)
    names = [
        f"{s}:{vertex}" if surface else f"{s}:{','.join(map(str, voxel))}"
        for s, surface, vertex, voxel in zip(
            structure, on_surface, axis.vertex.tolist(), axis.voxel.tolist(), strict=True
        )
    ]
    places = np.full((len(names), 3), np.nan)
    if not on_surface.all():
        places[~on_surface] = positions(axis.voxel[~on_surface], np.asarray(axis.affine))
    return tuple(names), places, {"structure": tuple(structure)}


def _parcels(axis: Any) -> tuple[tuple[str, ...], Float[ndarray, "channel 3"], dict[str, tuple[Any, ...]]]:
    names = tuple(map(str, axis.name))
    places = [positions(v, np.asarray(axis.affine)).mean(0) if len(v) else np.full(3, np.nan) for v in axis.voxels]
    return names, np.array(places).reshape(-1, 3), {}


def names_of(axis: Any) -> tuple[str, ...]:
    """What the grayordinates of a BrainModelAxis are called as channels."""
    return _models(axis)[0]


def vertices_of(names: tuple[str, ...], structure: str) -> tuple[ndarray, "ndarray"]:
    """Which channels lie on a surface (`CORTEX_LEFT`), and on which vertex."""
    index = np.array([i for i, name in enumerate(names) if name.startswith(f"{structure}:") and "," not in name], int)
    return index, np.array([int(names[i].rpartition(":")[2]) for i in index], int)
