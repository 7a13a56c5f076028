"""Which parcellation the sidecar asks for, for each kind of space: NIfTI labels, GIFTI labels of both sides, dlabel."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from data_loaders.formats import cifti, gifti, parcels
from data_loaders.formats.companions import companion, file_of
from data_loaders.formats.scan import Scan
from data_loaders.formats.source import Source


def parcellated(source: Source, scan: Scan) -> Scan:
    """The scan by the regions of the sidecar's `parcellation`; as it is where there is none."""
    stated = source.description.get("parcellation")
    if stated is None:
        return scan
    if not scan.space or (scan.space["kind"] == "grayordinates" and not _dense(scan)):
        raise ValueError(f"{source.path.name} holds regions already: take `parcellation` out of the sidecar")
    names = file_of(source, "parcel_names") or source.description.get("parcel_names")
    if scan.space["kind"] == "surface":
        sides = {side: companion(source, "parcellation", str(stated[side])) for side in scan.space["parts"]}
        labels, shown = _surface_labels(scan, sides), " and ".join(path.name for path in sides.values())
    else:
        path = file_of(source, "parcellation")
        assert path is not None
        template = str(stated.get("space", "")) if isinstance(stated, Mapping) else ""
        volume = scan.space["kind"] == "volume"
        names = names if names is not None or not volume else parcels.table_beside(path)
        labels, shown = parcels.volume_labels(path, scan, template) if volume else _dense_labels(path, scan), path.name
    return parcels.averaged(scan, parcels.named(labels, names, source.path), shown)


def _dense(scan: Scan) -> bool:
    """True where the channels are grayordinates, not parcels."""
    return "structure" in scan.ch_columns


def _surface_labels(scan: Scan, sides: Mapping[str, Path]) -> parcels.Labels:
    values, names = [], {}
    for side, path in sides.items():
        labels, known = gifti.labels_of(path)
        if len(labels) != scan.space["parts"][side]:
            raise ValueError(f"{path.name} has {len(labels)} vertices, the {side} hemisphere of the scan "
                             f"{scan.space['parts'][side]}: take the "
                             f"parcellation of the same surface")  # fmt: skip
        # left and right number their labels alike
        shift = 100_000 * len(values)
        values.append(np.where(labels > 0, labels + shift, 0))
        names |= {key + shift: f"{side[0].upper()}:{name}" for key, name in known.items() if key > 0}
    return parcels.Labels(np.concatenate(values), names)


def _dense_labels(path: Path, scan: Scan) -> parcels.Labels:
    """The labels of a .dlabel.nii; its grayordinates are matched by structure and vertex or voxel."""
    values, kinds, axis = cifti.axes_of(path)
    if not hasattr(kinds, "label"):
        raise ValueError(f"{path.name} is no label file (.dlabel.nii): its rows are a {type(kinds).__name__}")
    label_of = dict(zip(cifti.names_of(axis), values[0].astype(int).tolist(), strict=True))
    missing = sum(name not in label_of for name in scan.ch_names)
    note = (
        (f"{missing} of {len(scan.ch_names)} grayordinates are not in {path.name} and in no parcel",) if missing else ()
    )
    if missing == len(scan.ch_names):
        raise ValueError(f"{path.name} shares no grayordinate with the scan: it is of another space or density")
    names = {int(key): str(name) for key, (name, _) in kinds.label[0].items() if key > 0}
    return parcels.Labels(np.array([label_of.get(name, 0) for name in scan.ch_names]), names, note)
