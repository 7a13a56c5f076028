"""BIDS folders and their derivatives: entities from names, and the tables that speak for a file (inheritance principle)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from data_loaders.formats import electrodes
from data_loaders.formats.assemble import Found
from data_loaders.formats.events import empty_events
from data_loaders.formats.mne_epochs import is_cut, read_epochs
from data_loaders.formats.mne_raw import read_raw
from data_loaders.formats.participants import read_table, stated_of

DATATYPES = ("eeg", "meg", "ieeg")
# raw data stand in the dataset itself; these belong to other datasets, or to none
NOT_RAW = ("derivatives", "sourcedata", "code", "stimuli", "phenotype")
_TABLES = ("events", "channels", "electrodes")


def is_dataset(folder: Path) -> bool:
    """True for the root of a BIDS dataset, raw or derivative."""
    return (folder / "dataset_description.json").is_file()


def dataset_of(path: Path) -> Path | None:
    """The nearest folder above a file that is a BIDS dataset, if there is one."""
    return next((folder for folder in path.parents if is_dataset(folder)), None)


def entities_in(path: Path) -> dict[str, str]:
    """Every entity in a BIDS name, in full words, and its suffix."""
    import mne_bids

    found = mne_bids.get_entities_from_fname(path.name, on_error="ignore", verbose="error")
    entities = {key: str(value) for key, value in found.items() if value is not None}
    return entities | ({"suffix": path.name.split(".")[0].rsplit("_", 1)[-1]} if entities else {})


def who(path: Path) -> dict[str, str]:
    """Of whom and what a file is, as far as its name says it as BIDS does, also outside a dataset."""
    return {key: value for key, value in entities_in(path).items() if key in ("subject", "session", "task", "run")}


def tables_of(path: Path, root: Path) -> dict[str, Path]:
    """The events, channels and electrodes tables, coordsystem.json and participants.tsv that speak for a file."""
    found = {kind: table for kind in _TABLES if (table := inherited(path, root, kind))}
    if "electrodes" in found and (system := electrodes.system_of(found["electrodes"])):
        found["coordsystem"] = system
    people = next((p for p in (folder / "participants.tsv" for folder in upwards(root)) if p.is_file()), None)
    return found | ({"participants": people} if people else {})


def upwards(root: Path) -> list[Path]:
    """The dataset, and for a derivative the datasets above it."""
    return [root, *(folder for folder in root.parents if is_dataset(folder))]


def inherited(path: Path, root: Path, kind: str) -> Path | None:
    """The nearest table whose entities the file shares; nearer and more specific wins."""
    mine = entities_in(path).items()
    for folder in [f for f in path.parents if f == root or root in f.parents]:
        names = sorted(folder.glob(f"*{kind}.tsv"))
        shared = [
            p
            for p in names
            if {k: v for k, v in entities_in(p).items() if k not in ("suffix", "space")}.items() <= mine
        ]
        if shared:
            # positions in several spaces: those that can be compared between people
            return max(shared, key=lambda p: ("mni" in entities_in(p).get("space", "").lower(), len(entities_in(p))))
    return None


def read_bids(path: Path, root: Path, description: Mapping[str, Any] | None = None) -> Found:
    """A file of a dataset with what its tables say: types, bads, positions, events, demographics."""
    if is_cut(path):
        return with_tables(read_epochs(path), path, root, description or {}, events=False)
    found = read_raw(path, partial(_open, path, root) if entities_in(path).get("suffix") in DATATYPES else None)
    return with_tables(found, path, root, description or {})


def with_tables(found: Found, path: Path, root: Path, description: Mapping[str, Any], events: bool = True) -> Found:
    """What the tables of a dataset say of a file that was read without them."""
    tables = tables_of(path, root)
    found = _with_events(found, tables) if events else found
    if path.parent.name == "ieeg" and "electrodes" in tables:
        placed = electrodes.placed(found.channels, tables["electrodes"], tables.get("coordsystem"), description)
        found = replace(found, channels=placed)
    people, told = person(path, tables)
    told = (*told, *_length(found, path))
    stated = "channels" in tables and "type" in read_table(tables["channels"])
    return replace(found, guess=found.guess and not stated, demographics=people, notes=(*found.notes, *told))


def _open(path: Path, root: Path) -> Any:
    import mne_bids

    where = mne_bids.get_bids_path_from_fname(path, check=False, verbose="error").update(root=root)
    return mne_bids.read_raw_bids(where, verbose="warning")


def _with_events(found: Found, tables: Mapping[str, Path]) -> Found:
    """The events of events.tsv with all columns, in place of what MNE made of them."""
    if "events" not in tables:
        return replace(found, notes=(*found.notes, "no events.tsv: events are what the file itself has"))
    table, notes = events_table(tables["events"])
    return (
        replace(found, notes=(*found.notes, *notes))
        if table.empty
        else replace(found, events=table, notes=(*found.notes, *notes))
    )


def events_table(path: Path) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The rows of an events.tsv that have an onset, with all columns; without one row where it has no onsets."""
    table = read_table(path)
    if "onset" not in table or not len(table):
        return empty_events(), (f"{path.name} has no event with an onset",)
    table["onset"] = pd.to_numeric(table["onset"], errors="coerce")
    late = table["onset"].isna()
    notes = (f"{late.sum()} rows of {path.name} without an onset are left out",) if late.any() else ()
    table = table[~late].reset_index(drop=True)
    table["duration"] = pd.to_numeric(table["duration"], errors="coerce") if "duration" in table else 0.0
    if "trial_type" not in table:
        table["trial_type"] = table["value"].map(str, na_action="ignore") if "value" in table else "event"
    return table, notes


def _length(found: Found, path: Path) -> tuple[str, ...]:
    """What the JSON beside a file says of its length, where the file is shorter by more than rounding."""
    beside = path.with_name(path.name.split(".")[0] + ".json")
    stated = json.loads(beside.read_text(encoding="utf-8-sig")).get("RecordingDuration") if beside.is_file() else None
    seconds = found.n_times / found.sfreq
    if not isinstance(stated, int | float) or seconds >= float(stated) - 2 / found.sfreq:
        return ()
    return (f"the file is truncated: it holds {seconds:g} s of the {float(stated):g} s that {beside.name} states",)


def person(path: Path, tables: Mapping[str, Path]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """What participants.tsv says of the person whose recording this is, and what was decided."""
    if "participants" not in tables:
        return {}, ("no participants.tsv: nothing is known of the person",)
    table = read_table(tables["participants"])
    subject = entities_in(path).get("subject", "")
    first = table.columns[0]
    rows = table[table[first].astype(str).str.removeprefix("sub-") == subject]
    if not len(rows):
        return {}, (f"participants.tsv has no row for sub-{subject}",)
    return stated_of(rows.drop(columns=first)), ()
