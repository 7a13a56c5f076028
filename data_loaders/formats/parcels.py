"""Parcellations: voxels, vertices or grayordinates averaged within the regions of a labels image."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray
from scipy.sparse import csr_matrix

from data_loaders.formats import space
from data_loaders.formats.channels import listed
from data_loaders.formats.companions import load_table
from data_loaders.formats.nifti import image_of, same_grid
from data_loaders.formats.scan import Scan

_TEMPLATE = re.compile(r"(?:^|_)(?:tpl|space)-([A-Za-z0-9]+)")


@dataclass(frozen=True)
class Labels:
    """The label at each place of the scan's space (0 is none), and what labels are called."""

    values: Int[ndarray, "..."]
    names: Mapping[int, str]
    notes: tuple[str, ...] = ()


def averaged(scan: Scan, labels: Labels, parcellation: str) -> Scan:
    """One channel per label: the mean of its channels, bad ones and missing values left out; positions are means too.

    A label without a channel keeps a flat one that is marked bad, so that all recordings have the same channels.
    """
    found = np.array(sorted(set(np.unique(labels.values).tolist()) - {0} | {k for k in labels.names if k > 0}), int)
    numbers = space.channels(scan.space)
    label_of = np.zeros(scan.values.shape[1], int)
    label_of[numbers[numbers >= 0]] = labels.values[numbers >= 0]
    usable = np.isin(label_of, found) & ~np.isin(np.arange(len(label_of)), _index(scan))
    parcel = np.searchsorted(found, label_of[usable])
    sums = csr_matrix((np.ones(len(parcel)), (parcel, np.flatnonzero(usable))), (len(found), len(label_of)))
    names = _distinct(tuple(labels.names.get(int(label), str(label)) for label in found))
    size = np.bincount(parcel, minlength=len(found))
    empty = [name for name, n in zip(names, size, strict=True) if not n]
    told = f"{len(found)} parcels of {parcellation}, of {size[size > 0].min(initial=0)} to {size.max(initial=0)} places each"
    lost = (f"parcels without a place in the scan, zero and marked bad: {listed(empty)}",) if empty else ()
    inside = (numbers >= 0) & np.isin(labels.values, found)
    channel = np.where(inside, np.searchsorted(found, labels.values), -1)
    return replace(
        scan, values=_means(scan.values, sums), ch_names=names, positions=_means(scan.positions.T, sums).T,
        gain=None, offset=None, space=_respaced(scan.space, channel), ch_columns={}, bads=tuple(empty),
        notes=(*scan.notes, *labels.notes, told, *lost),
    )  # fmt: skip


def volume_labels(path: Path, scan: Scan, template: str = "") -> Labels:
    """The labels of a NIfTI parcellation on the scan's grid; resampled by nearest neighbour, and told, where it has another.

    Raises ValueError where it is of another template, or does not overlap.
    """
    data, affine = image_of(path)
    theirs, ours = template or _template(path), str(scan.space["template"])
    if theirs and ours and theirs != ours:
        raise ValueError(f"the parcellation {path.name} is in the space {theirs}, the scan in {ours}: take one in {ours}, "
                         f"or, where they are "
                         f"the same space by two names, write `parcellation: {{file: {path.name}, space: {ours}}}`")  # fmt: skip
    grid = (tuple(scan.space["shape"]), np.asarray(scan.space["affine"]))
    told: tuple[str, ...] = ()
    if not same_grid(grid, (data.shape, affine)):
        told = (
            f"the parcellation {path.name} ({'x'.join(map(str, data.shape))}) is resampled to the scan's grid by nearest neighbour",
        )
        data = _resampled(data, affine, *grid)
    values = np.round(np.nan_to_num(data)).astype(int)
    if not (values[space.channels(scan.space) >= 0] > 0).any():
        raise ValueError(
            f"the parcellation {path.name} has no label where the scan has voxels: they are not in one space"
        )
    return Labels(values, {}, told)


def named(labels: Labels, stated: Any, path: Path) -> Labels:
    """Labels called as the sidecar says (a list from label 1 on, a map) or as a table with the columns index and name does."""
    if isinstance(stated, Path):
        table = load_table(stated).frame.rename(columns=lambda c: str(c).lower())
        if not {"index", "name"} <= set(table.columns):
            raise ValueError(
                f"{stated.name} has the columns {list(table.columns)}, expected index and name (BIDS dseg.tsv): mend parcel_names"
            )
        stated = dict(zip(table["index"], table["name"], strict=True))
    if stated is None:
        return labels
    pairs = stated.items() if isinstance(stated, Mapping) else enumerate(stated, start=1)
    names = {int(key): str(name) for key, name in pairs if int(key) != 0}
    missing = sorted(set(np.unique(labels.values).tolist()) - {0} - set(names))
    if missing:
        raise ValueError(f"{path.name} has the labels {missing[:8]}, which parcel_names does not name: add them")
    return replace(labels, names=names)


def table_beside(path: Path) -> Path | None:
    """The BIDS look-up table of a labels image: the same name with .tsv."""
    beside = path.with_name(re.sub(r"\.nii(\.gz)?$", ".tsv", path.name))
    return beside if beside != path and beside.is_file() else None


def _index(scan: Scan) -> list[int]:
    bad = set(scan.bads)
    return [i for i, name in enumerate(scan.ch_names) if name in bad] if bad else []


def _means(values: Float[ndarray, "row channel"], sums: csr_matrix) -> Float[ndarray, "row parcel"]:
    """The mean over each parcel of what is finite; zero where nothing is (NaN for positions stays NaN)."""
    fine = np.isfinite(values)
    total = (sums @ np.where(fine, values, 0.0).T).T
    count = (sums @ fine.T.astype(np.float32)).T
    filler = np.where(sums.getnnz(axis=1) > 0, np.nan, 0.0)
    return np.where(count > 0, total / np.maximum(count, 1), filler).astype(np.float32)


def _respaced(where: Mapping[str, Any], channel: Int[ndarray, "..."]) -> dict[str, Any]:
    if where["kind"] == "volume":
        return space.volume(channel, np.asarray(where["affine"]), where["template"])
    return dict(where) | space.packed(channel)


def _resampled(data: ndarray, affine: ndarray, shape: tuple[int, ...], target: ndarray) -> ndarray:
    import nibabel as nib
    from nilearn.image import resample_img

    image = nib.Nifti1Image(np.nan_to_num(data).astype(np.int32), affine)
    grid: dict[str, Any] = {"target_affine": target, "target_shape": shape}
    try:
        out: Any = resample_img(image, **grid, interpolation="nearest", force_resample=True, copy_header=True)
    except ValueError:
        # nilearn refuses images that do not overlap at all; no label anywhere is the same, and is told by our error
        return np.zeros(shape, np.int32)
    return np.asarray(out.dataobj)


def _template(path: Path) -> str:
    found = _TEMPLATE.search(path.name)
    return found.group(1) if found else ""


def _distinct(names: tuple[str, ...]) -> tuple[str, ...]:
    """The same name twice (left and right by one name) gets a number."""
    seen: dict[str, int] = {}
    out = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        out.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
    return tuple(out)
