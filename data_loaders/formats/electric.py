"""Reads one source of EEG, MEG or iEEG, whichever way it was written."""

from __future__ import annotations

from dataclasses import replace

from data_loaders.contracts import Recording
from data_loaders.formats import bids
from data_loaders.formats.arrays import read_arrays
from data_loaders.formats.assemble import Found, recording
from data_loaders.formats.mne_epochs import is_cut, read_epochs
from data_loaders.formats.mne_files import suffix_of
from data_loaders.formats.mne_raw import read_raw
from data_loaders.formats.nwb_electrical import read_electrical
from data_loaders.formats.participants import guessed, participant
from data_loaders.formats.sidecar import ARRAY_SUFFIXES
from data_loaders.formats.source import Source


def read(source: Source) -> Recording:
    """The recording in SI units. Raises ValueError with the repair where the file cannot be what it claims."""
    found = _found(source)
    known = {**found.demographics} | participant(source.entities.get("subject", ""), source.description)
    return recording(source, replace(found, demographics=known, notes=(*_named(source), *found.notes)))


def _found(source: Source) -> Found:
    path = source.path
    dataset = bids.dataset_of(path)
    if suffix_of(path) == ".nwb":
        found = read_electrical(path, source.description)
        return found if dataset is None else bids.with_tables(found, path, dataset, source.description)
    if suffix_of(path) in ARRAY_SUFFIXES:
        return read_arrays(path, source.description)
    if dataset is not None:
        return bids.read_bids(path, dataset, source.description)
    return read_epochs(path) if is_cut(path) else read_raw(path)


def _named(source: Source) -> tuple[str, ...]:
    notes = list(guessed(source))
    run = source.entities.get("run", "")
    if any(f"{key}-{value}" in run for key, value in source.entities.items() if key != "run"):
        notes.append(f"several files are of one run, this one is called {run}: keep one with `exclude` in brainfm.yaml")
    return tuple(notes)
