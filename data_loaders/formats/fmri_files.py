"""Finds fMRI recordings below a folder: BIDS func folders, raw or of fMRIPrep; 4-D images, CIFTI and GIFTI series; tables by sidecar."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from data_loaders.formats import bids, bids_func, echoes, hdf5_matrices, roi_tables
from data_loaders.formats.companions import candidates
from data_loaders.formats.discover import files, told_apart
from data_loaders.formats.gifti import is_right, other_hemisphere
from data_loaders.formats.nifti import header_of
from data_loaders.formats.sidecar import describe, entities_of, excluded, matches, sidecars_of, start
from data_loaders.formats.source import Source

_SCANS = (".dtseries.nii", ".ptseries.nii", ".nii.gz", ".nii", ".func.gii", ".gii")
# text that comes with data and holds none
_PAPERS = ("readme", "license", "licence", "changes", "notice")
# the end of a name that says what was done to it, not who it is
_ENDINGS = ("_bold", "_timeseries", "-timecourses")


def suffix_of(path: Path) -> str:
    """The ending in lower case, of two parts where two belong together: `.nii.gz`, `.dtseries.nii`, `.func.gii`."""
    name = path.name.lower()
    return next((ending for ending in _SCANS if name.endswith(ending)), path.suffix.lower())


def sources(root: Path) -> list[Source]:
    """The fMRI recordings below a folder (or of one file, or where a sidecar points), in the order of their paths.

    Raises ValueError where a run is there in several spaces and the sidecar does not choose.
    """
    top, given = start(Path(root))
    folder = top if top.is_dir() else top.parent
    found = [
        each
        for path in (files(top) if top.is_dir() else [top])
        if (one := _candidate(path, folder, given, path == top))
        for each in hdf5_matrices.each_repeat(one)
    ]
    named = {path for source in found for path in companions_of(source)}
    return told_apart(list(_one_space(echoes.one_of_each([source for source in found if source.path not in named]))))


def companions_of(source: Source) -> list[Path]:
    """The files that its sidecar names for a recording: masks, atlases, confounds, labels, streams, names."""
    stated = source.description
    patterns = [stated.get(key) for key in ("mask", "parcellation", "parcel_names", "confounds", "labels", "ch_names")]
    patterns += [*_values(stated.get("streams")), *_values(stated.get("surfaces"))]
    flat = [file for pattern in patterns for file in _files_in(pattern)]
    return [path for name in flat for path in candidates(source.path, source.root, source.entities, name)]


def _values(stated: Any) -> list[Any]:
    return list(stated.values()) if isinstance(stated, Mapping) else []


def _files_in(stated: Any) -> Iterator[str]:
    """The patterns of files in one value of a sidecar: a text with a dot in it, or the key `file` of a map."""
    if isinstance(stated, Mapping):
        yield from _files_in(stated.get("file"))
        yield from (str(value) for key, value in stated.items() if key in ("left", "right"))
    elif isinstance(stated, str) and "." in stated:
        yield stated


def _candidate(path: Path, folder: Path, given: tuple[Path, ...], alone: bool) -> Source | None:
    """The source of one file, where the file may be a recording of this modality."""
    suffix = suffix_of(path)
    if suffix not in (*_SCANS, *roi_tables.SUFFIXES):
        return None
    dataset = bids.dataset_of(path)
    sidecars = sidecars_of(path, dataset or folder, given)
    description = describe(path, sidecars)
    stated = description.get("modality")
    if (
        stated not in (None, "fmri")
        or excluded(path, folder, description)
        or not _is_ours(path, suffix, dataset, stated, alone)
    ):
        return None
    if suffix in roi_tables.SUFFIXES and not alone and not _table(path, description):
        return None
    if suffix.endswith("gii") and is_right(path) and _left_of(path):
        return None
    right = other_hemisphere(path) if suffix.endswith("gii") else None
    entities = (
        {"study": (dataset or folder).name}
        | (bids_func.run_of(path) if bids_func.is_bold(path) else bids.entities_in(path))
        | entities_of(path, description)
    )
    entities = entities if "subject" in entities else {"subject": _stem(path, suffix)} | entities
    source = Source((path, *sidecars), "fmri", folder, entities, {"modality": "fmri"} | description)
    people = [Path(description["participants"]["file"])] if "participants" in description else []
    tables = list(bids_func.tables_of(path, dataset).values()) if dataset else []
    also = [
        p for p in (*([right] if right else []), *sidecars, *companions_of(source), *tables, *people) if p.is_file()
    ]
    return Source((path, *dict.fromkeys(also)), "fmri", folder, entities, source.description)


def _table(path: Path, description: Mapping[str, Any]) -> bool:
    """True for a table that a pattern names; without a pattern, for every one in a folder without an image, but not README.txt.

    HDF5 may hold anything, a store of ours too: it needs the pattern.
    """
    if "pattern" in description or path.suffix.lower() in hdf5_matrices.SUFFIXES:
        return "pattern" in description and matches(path, description)
    return not any(suffix_of(p) in _SCANS for p in path.parent.iterdir()) and not path.stem.lower().startswith(_PAPERS)


def _is_ours(path: Path, suffix: str, dataset: Path | None, stated: Any, alone: bool) -> bool:
    """True for bold files of a dataset, tables that a sidecar claims, and else what has a series of volumes."""
    if suffix in roi_tables.SUFFIXES:
        return stated == "fmri"
    if dataset is not None and path.parent != dataset:
        return bids_func.is_bold(path)
    if suffix not in (".nii", ".nii.gz"):
        return stated == "fmri" or alone or suffix != ".gii"
    # beside series, single volumes are masks, atlases and anatomy
    return alone or _is_series(path) or (stated == "fmri" and not any(map(_is_series, path.parent.glob("*.nii*"))))


def _is_series(path: Path) -> bool:
    """True for more than one volume; also where the header is damaged, which is told, with its repair, when the file is read."""
    try:
        return header_of(path).n_volumes > 1
    except ValueError:
        return suffix_of(path) in (".nii", ".nii.gz")


def _left_of(path: Path) -> bool:
    """True where the left hemisphere of a right one is there, which then speaks for both."""
    return any(other_hemisphere(other) == path for other in path.parent.glob("*.gii"))


def _one_space(found: Iterable[Source]) -> Iterator[Source]:
    """Of the files of one run of a dataset, the one in the space that the sidecar asks for."""
    runs: dict[tuple[Any, ...], list[Source]] = {}
    for source in found:
        bold = bids.dataset_of(source.path) is not None and bids_func.is_bold(source.path)
        key = (source.path.parent, tuple(bids_func.run_of(source.path).items())) if bold else (source.key,)
        runs.setdefault(key, []).append(source)
    for same in runs.values():
        space = same[0].description.get("space")
        bold = bids.dataset_of(same[0].path) is not None and bids_func.is_bold(same[0].path)
        kept = bids_func.chosen([s.path for s in same], space) if bold and (len(same) > 1 or space) else same[0].path
        yield next(source for source in same if source.path == kept)


def _stem(path: Path, suffix: str) -> str:
    stem = path.name[: -len(suffix)]
    return next((stem.removesuffix(ending) for ending in _ENDINGS if stem.endswith(ending)), stem)
