"""Reads one fMRI recording: series, repetition time, parcels, confounds, events, streams, and where it all lies in space.

The sidecar (`data_loaders.formats.sidecar`) may say, besides who and which:

    tr: 2.0                             # seconds between volumes, where the header does not say, or says it wrongly
    mask: masks/{subject}.nii.gz        # or epi (nilearn's compute_epi_mask, the default for a whole head), varying, all
    space: MNI152NLin2009cAsym          # which of fMRIPrep's output spaces, as in `--output-spaces`: fsLR:den-91k
    echo: 2                             # which echo of a run that has several and no combined series
    parcellation: atlas.nii.gz          # regions in place of voxels: NIfTI, .dlabel.nii, {left: lh.label.gii, right: rh.label.gii}
    parcel_names: atlas.tsv             # columns index and name; or a list from label 1 on; or a map
    surfaces: {left: lh.surf.gii, right: rh.surf.gii}       # where vertices are
    labels: {file: attributes.txt, columns: [trial_type, chunk], segment: chunk}            # one row per volume
    streams: {motion: {file: "{subject}_rp.txt", names: [x, y, z], unit: mm, start: -20}}   # one row per volume, or sfreq; detrend: true
    confounds, detrend, high_pass, low_pass, filter, standardize: see `data_loaders.formats.denoise`

Tables and arrays have more keys: `data_loaders.formats.roi_tables`, HDF5 `data_loaders.formats.hdf5_matrices`. In BIDS datasets
events.tsv, participants.tsv, the JSON, and in those of fMRIPrep the brain mask and the motion parameters, are found by their names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy import ndarray

from data_loaders.contracts import Recording, Stream
from data_loaders.formats import bids, bids_func, cifti, denoise, echoes, gifti, roi_tables, volume_labels
from data_loaders.formats.checks import checked
from data_loaders.formats.companions import NumberTable, companion, file_of, load_table, streams_of
from data_loaders.formats.events import empty_events, tidy
from data_loaders.formats.fmri_files import suffix_of
from data_loaders.formats.fmri_parcels import parcellated
from data_loaders.formats.nifti_scan import read_nifti
from data_loaders.formats.participants import guessed, participant
from data_loaders.formats.repetition_time import repetition_time
from data_loaders.formats.scan import Scan
from data_loaders.formats.source import Source

_MOTION = ("trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z")


@dataclass(frozen=True)
class _Known:
    """What files beside the scan say of it."""

    tables: Mapping[str, Path] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    people: Mapping[str, Any] = field(default_factory=dict)
    confounds: Path | None = None
    notes: tuple[str, ...] = ()


def read(source: Source) -> Recording:
    """The recording. Raises ValueError with the repair where the file cannot be what it claims."""
    known = _known(source)
    scan, own = _scan(source)
    scan = replace(scan, positions=_placed(source, scan))
    stated = source.description
    tr, told = repetition_time(
        source.path, stated.get("tr"), known.metadata.get("RepetitionTime"), scan.tr, scan.tr_told, known.people
    )
    n_volumes = len(scan.values)
    events, segments, runs, said = _events(source, known, own, tr, n_volumes)
    scan = parcellated(source, scan)
    confounds = _confounds(source, known, n_volumes)
    scan = denoise.cleaned(scan, confounds, stated, tr, runs)
    streams, heard = streams_of(source, tr, n_volumes, own)
    asked = (*guessed(source), *echoes.told(source.path))
    streams |= _motion(known, tr, n_volumes) if "motion" not in streams else {}
    found = Recording(
        **_who(source), modality="fmri", sfreq=1 / tr, duration=n_volumes * tr, ch_names=scan.ch_names,
        ch_types=("bold",) * len(scan.ch_names), units=(scan.unit,) * len(scan.ch_names), ch_positions=scan.positions,
        ch_columns=scan.ch_columns, space=scan.space, bads=scan.bads, signal=scan.values, gain=scan.gain, offset=scan.offset,
        events=tidy(events), segments=_segments(segments, confounds, tr), streams=streams, demographics=dict(known.people),
        source=source.path.name, decisions=(*asked, *known.notes, *scan.notes, *told, *confounds.notes, *said, *heard),
    )  # fmt: skip
    # two voxels of one series are no mistake of the recorder: interpolation makes them
    return checked(_bad_outside(found), doubled=not scan.space)


def _scan(source: Source) -> tuple[Scan, NumberTable | None]:
    """The series of the file, by its ending; the whole table where it is one."""
    path, suffix = source.path, suffix_of(source.path)
    template = bids_func.entities_in(path).get("space", str(source.description.get("space", "")).split(":")[0])
    if suffix in roi_tables.SUFFIXES:
        return roi_tables.read_table(path, source.description, file_of(source, "ch_names"))
    if suffix.endswith(".gii"):
        right = gifti.other_hemisphere(path)
        sides = (
            {"right": path}
            if gifti.is_right(path)
            else {"left": path} | ({"right": right} if right and right.is_file() else {})
        )
        return gifti.read_gifti(sides, template), None
    if suffix in (".dtseries.nii", ".ptseries.nii"):
        return cifti.read_cifti(path, template), None
    return read_nifti(path, _mask(source), template), None


def _mask(source: Source) -> str | Path | None:
    stated = source.description.get("mask")
    if stated in ("epi", "varying", "all"):
        return stated
    if stated is not None:
        return companion(source, "mask", str(stated))
    return bids_func.beside(source.path, "desc-brain_mask.nii.gz")


def _placed(source: Source, scan: Scan) -> ndarray:
    """Positions, with those of vertices from the surfaces that the sidecar names."""
    stated = source.description.get("surfaces")
    if not isinstance(stated, Mapping) or not scan.space:
        return scan.positions
    places = scan.positions.copy()
    for side, pattern in stated.items():
        points = gifti.vertices(companion(source, f"surfaces.{side}", str(pattern)))
        prefix = f"{side[0].upper()}" if scan.space["kind"] == "surface" else f"CORTEX_{side.upper()}"
        index, vertex = cifti.vertices_of(scan.ch_names, prefix)
        if len(vertex) and vertex.max() >= len(points):
            raise ValueError(
                f"the {side} surface has {len(points)} vertices, the scan of {source.path.name} more: take the surface of its space"
            )
        places[index] = points[vertex]
    return places


def _known(source: Source) -> _Known:
    """What BIDS tables, JSON and the sidecar's participants say."""
    path, dataset = source.path, bids.dataset_of(source.path)
    people = participant(source.entities.get("subject", ""), source.description)
    if dataset is None or not bids_func.is_bold(path):
        return _Known(people=people)
    tables = bids_func.tables_of(path, dataset)
    stated, told = bids.person(path, tables)
    return _Known(
        tables, bids_func.metadata(path, dataset), {**stated, **people}, bids_func.confounds_table(path), told
    )


def _events(
    source: Source, known: _Known, own: NumberTable | None, tr: float, n_volumes: int
) -> tuple[pd.DataFrame, ndarray | None, ndarray | None, tuple[str, ...]]:
    """Events, segments and the run of each volume: of labels where the sidecar has them, else of events.tsv."""
    if "labels" in source.description:
        return volume_labels.labelled(source, own, tr, n_volumes)
    if bids.dataset_of(source.path):
        events, told = bids_func.events_of(known.tables, float(known.metadata.get("StartTime", 0.0)))
        return events, None, None, told
    return empty_events(), None, None, ("no events: the recording can be tiled, not cut around events",)


def _confounds(source: Source, known: _Known, n_volumes: int) -> denoise.Confounds:
    stated = source.description.get("confounds")
    if stated is None and known.confounds is not None:
        return denoise.non_steady(source.path, known.confounds, n_volumes)
    file = file_of(source, "confounds")
    stated = {} if isinstance(stated, str) and file is not None else stated
    return denoise.confounds_of(source.path, stated, n_volumes, file)


def _motion(known: _Known, tr: float, n_volumes: int) -> dict[str, Stream]:
    """The motion parameters of fMRIPrep: millimetres and radians."""
    if known.confounds is None:
        return {}
    table = load_table(known.confounds)
    if not set(_MOTION) <= set(table.frame.columns) or len(table.frame) != n_volumes:
        return {}
    values, names = table.numbers(list(_MOTION), known.confounds)
    return {"motion": Stream(values.astype(np.float32), 1 / tr, 0.0, names, "mm and rad")}


def _segments(segments: ndarray | None, confounds: denoise.Confounds, tr: float) -> ndarray | None:
    return segments if confounds.good is None else denoise.segments_of(confounds.good, tr)


def _bad_outside(recording: Recording) -> Recording:
    """Parcels without data hold zeros."""
    assert recording.signal is not None
    if not recording.bads:
        return recording
    index = [recording.ch_names.index(name) for name in recording.bads]
    signal = recording.signal.copy()
    signal[:, index] = 0.0
    return replace(recording, signal=signal)


def _who(source: Source) -> dict[str, Any]:
    return {name: source.entities.get(name, "") for name in ("study", "subject", "session", "task", "run")}
