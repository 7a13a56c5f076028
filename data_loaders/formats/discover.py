"""Finds the recordings of EEG, MEG and iEEG below a folder: BIDS datasets by their rules, other files by ending and sidecar."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from data_loaders.formats import bids
from data_loaders.formats.mne_files import FOLDER_SUFFIXES, is_recording, modality_of, parts_of, suffix_of
from data_loaders.formats.sidecar import ARRAY_SUFFIXES, describe, entities_of, excluded, sidecars_of, start
from data_loaders.formats.source import Source

# MNE reads these, but they may be anything: only where a sidecar states the modality
_AMBIGUOUS = (".eeg", ".dat", ".bin", ".data")
# the end of a FIF file's name says what was done to it, not who it is
_ENDINGS = ("_raw", "-raw", "_eeg", "_meg", "_epo", "-epo")


def sources(root: Path, modality: str) -> list[Source]:
    """The recordings of one modality below a folder (or in one file, or where a sidecar points), in the order of their paths.

    Raises ValueError where two of them would have one name.
    """
    top, given = start(Path(root))
    folder = top if top.is_dir() and suffix_of(top) not in FOLDER_SUFFIXES else top.parent
    found = [_source(path, folder, given, modality) for path in (files(top) if folder == top else [top])]
    return told_apart([source for source in found if source is not None])


def files(folder: Path) -> Iterator[Path]:
    """Every file and every folder that is one recording, sorted; a dataset's derivatives are another dataset."""
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        path = Path(entry.path)
        if entry.name.startswith(".") or (entry.is_dir() and bids.is_dataset(folder) and entry.name in bids.NOT_RAW):
            continue
        if entry.is_dir() and suffix_of(path) not in FOLDER_SUFFIXES:
            yield from files(path)
        else:
            yield path


def _source(path: Path, folder: Path, given: tuple[Path, ...], modality: str) -> Source | None:
    """The source of one file, where the file is a recording of this modality."""
    if not (is_recording(path) or suffix_of(path) in (*ARRAY_SUFFIXES, *_AMBIGUOUS)):
        return None
    dataset = bids.dataset_of(path)
    sidecars = sidecars_of(path, dataset or folder, given)
    description = describe(path, sidecars)
    if suffix_of(path) in _AMBIGUOUS and ("modality" not in description or any(map(is_recording, _beside(path)))):
        return None
    if excluded(path, folder, description) or _modality(path, dataset, description) != modality:
        return None
    tables = list(bids.tables_of(path, dataset).values()) if dataset else []
    people = [Path(description["participants"]["file"])] if "participants" in description else []
    also = [
        p for p in (*sidecars, *_beside(path), *parts_of(path), *tables, *people) if p.is_file() and not is_recording(p)
    ]
    entities = _entities(path, dataset or folder, description)
    return Source((path, *dict.fromkeys(also)), modality, folder, entities, {"modality": modality} | description)


def _beside(path: Path) -> list[Path]:
    """The files of the same name with another ending, such as the samples that a header describes."""
    alike = _by_stem(path.parent, path.parent.stat().st_mtime_ns).get(path.stem, [])
    return [other for other in alike if other != path]


@lru_cache(maxsize=4)
def _by_stem(folder: Path, changed: int) -> dict[str, list[Path]]:
    """One listing for all files of a folder: listing it for each of them takes minutes where there are ten thousand."""
    found: dict[str, list[Path]] = {}
    for name in sorted(os.listdir(folder)):
        found.setdefault(Path(name).stem, []).append(folder / name)
    return found


def _entities(path: Path, study: Path, description: Mapping[str, Any]) -> dict[str, str]:
    """What sidecars say goes before what the name says; without either, the whole name is the subject."""
    stated = {"study": study.name} | bids.entities_in(path) | entities_of(path, description)
    return stated if "subject" in stated else {"subject": _stem(path)} | stated


def _modality(path: Path, dataset: Path | None, description: Mapping[str, Any]) -> str:
    """`eeg`, `meg`, `ieeg` or another that a sidecar states; empty for what is no recording of a brain."""
    if suffix_of(path) in ARRAY_SUFFIXES or "modality" in description:
        return str(description.get("modality", ""))
    if dataset is not None:
        return path.parent.name if path.parent.name in bids.DATATYPES else ""
    return modality_of(path)


def _stem(path: Path) -> str:
    stem = path.name[: -len(suffix_of(path))] if suffix_of(path) else path.name
    return next((stem.removesuffix(ending) for ending in _ENDINGS if stem.endswith(ending)), stem)


def told_apart(found: list[Source]) -> list[Source]:
    """Where sources share subject, session, task and run, the other entities of their names join the run."""
    alike = Counter(map(_name, found))
    apart = [_with_extras(source) if alike[_name(source)] > 1 else source for source in found]
    seen: dict[tuple[str, ...], Source] = {}
    for source in apart:
        other = seen.setdefault(_name(source), source)
        if other is not source:
            raise ValueError(f"{other.path} and {source.path} would both be {'_'.join(filter(None, _name(source)))}: tell them apart "
                             f"by a `pattern` with {{session}} or {{run}} in brainfm.yaml, or leave one out with `exclude`")  # fmt: skip
    return apart


def _name(source: Source) -> tuple[str, ...]:
    return tuple(source.entities.get(key, "") for key in ("study", "subject", "session", "task", "run"))


def _with_extras(source: Source) -> Source:
    known = ("study", "subject", "session", "task", "run", "datatype", "extension", "split")
    extras = {key: value for key, value in source.entities.items() if key not in known}
    run = "_".join([source.entities.get("run", ""), *(f"{key}-{value}" for key, value in extras.items())]).strip("_")
    return replace(source, entities={**source.entities, "run": run}) if extras else source
