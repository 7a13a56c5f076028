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
from data_loaders.formats.participants import participant
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
    """Who a file is of is never guessed silently: a wrong guess puts one person on both sides of a split."""
    notes = []
    subject = source.entities.get("subject", "")
    if "pattern" not in source.description and "subject" not in source.description and "suffix" not in source.entities:
        notes.append(
            f"the subject is taken from the file's name ({subject}): files of one person need a `pattern` in brainfm.yaml"
        )
    run = source.entities.get("run", "")
    if any(f"{key}-{value}" in run for key, value in source.entities.items() if key != "run"):
        notes.append(f"several files are of one run, this one is called {run}: keep one with `exclude` in brainfm.yaml")
    return tuple(notes)
