"""Sidecars: small YAML files that say what recordings beside them do not say themselves.

`brainfm.yaml` in a folder speaks for every file in it and below; `S1.yaml` (for `.npz` and `.mat` also `S1.json`) speaks
for `S1.mat` and wins over the folder's. A sidecar that names a folder in `root` can lie anywhere and be prepared itself:

    root: ../eegmat                      # relative to this file
    study: eegmat
    pattern: "{subject}_{task}.edf"      # or a list; matched with the end of the path; * stands for anything
    task: {"1": rest, "2": arithmetic}   # an entity is a value for all files, or a map from what the pattern found
    participants: {file: subject-info.csv, subject: Subject}   # one row per person; every column is kept

Who and which: `study`, `subject`, `session`, `task`, `run` (values or maps), `pattern`, `participants`, `exclude` (a list
of patterns of files to leave out), `modality` (eeg, meg, spikes, ...).
What the channels are: `ch_types` ({EXG1: eog}, for arrays also a list or one word for all), `bads` (names), `scale` (what
the numbers that MNE returns are multiplied by to be in volts or tesla).
Where contacts sit: `position_unit` (m, mm, um, where a file states none). Which units or cells come in: `keep`
(`data_loaders.formats.keep`). Which series of an NWB file: `signal`. Sessions of cells have the keys `spikes`
(`data_loaders.formats.spike_arrays`) and `calcium` (`data_loaders.formats.calcium_session`), with behaviour and trials as in
`data_loaders.formats.stated`. Arrays have more keys: `data_loaders.formats.arrays`; fMRI has more: `data_loaders.formats.fmri`.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import Any

import yaml

FOLDER_SIDECAR = "brainfm.yaml"
ENTITIES = ("study", "subject", "session", "task", "run")
KEYS = frozenset({
    *ENTITIES, "root", "pattern", "participants", "exclude", "modality", "ch_types", "bads", "scale",
    "sfreq", "unit", "axes", "signal", "labels", "names", "trigger", "codes", "tmin", "ch_names", "times", "events", "spikes",
    "gain", "offset", "ch_positions", "position_unit", "keep", "calcium",
    "tr", "repeats", "mask", "space", "echo", "parcellation", "parcel_names", "surfaces", "columns", "streams",
    "confounds", "detrend", "high_pass", "low_pass", "filter", "standardize",
})  # fmt: skip
ARRAY_SUFFIXES = (".npz", ".mat")
# endings of more than one part, of which the sidecar's name has none
_ENDINGS = re.compile(r"(\.(dtseries|ptseries|func)\.(nii|gii)|\.nii\.gz)$", re.IGNORECASE)


def start(root: Path) -> tuple[Path, tuple[Path, ...]]:
    """The folder or file to look into, and the sidecar that was given instead of it, if any."""
    root = root.absolute()
    if not root.exists():
        raise ValueError(
            f"{root} does not exist: give a folder of recordings, one file, or a sidecar with `root: FOLDER`"
        )
    if root.suffix not in (".yaml", ".yml"):
        return root, ()
    stated = load(root)
    if "root" not in stated:
        raise ValueError(
            f"{root.name} does not say where the recordings lie: add `root: FOLDER`, relative to this file"
        )
    return (root.parent / str(stated["root"])).resolve(), (root,)


def sidecars_of(path: Path, top: Path, given: tuple[Path, ...] = ()) -> tuple[Path, ...]:
    """The sidecars that speak for a file, from the most general to its own."""
    folders = [folder for folder in reversed(path.parents) if folder == top or top in folder.parents] or [path.parent]
    own = [".yaml", ".yml"] + ([".json"] if path.suffix in ARRAY_SUFFIXES else [])
    stem = _ENDINGS.sub("", path.name)
    beside = [path.with_name((stem if stem != path.name else path.stem) + suffix) for suffix in own]
    return (*given, *(p for p in [*(folder / FOLDER_SIDECAR for folder in folders), *beside] if p.is_file()))


def describe(path: Path, sidecars: tuple[Path, ...]) -> dict[str, Any]:
    """What all sidecars of a file say together; the later one wins."""
    merged: dict[str, Any] = {}
    for sidecar in sidecars:
        merged |= load(sidecar)
    return {key: value for key, value in merged.items() if key != "root"}


@cache
def _parsed(text: str, name: str) -> Mapping[str, Any]:
    try:
        stated = json.loads(text) if name.endswith(".json") else yaml.safe_load(text)
    except (yaml.YAMLError, json.JSONDecodeError) as error:
        said = " ".join(str(error).split())
        raise ValueError(
            f"{name} cannot be parsed ({said}): mend the line, or quote text with : or {{ in it"
        ) from error
    if not isinstance(stated, dict):
        raise ValueError(f"{name} holds no `key: value` lines: write for example `modality: eeg`")
    for key in stated:
        if key not in KEYS:
            nearest = difflib.get_close_matches(str(key), KEYS, 1, 0.0)[0]
            raise ValueError(f"{name} has the key {key!r}, which no reader knows: did you mean {nearest!r}?")
    return stated


def load(sidecar: Path) -> dict[str, Any]:
    """One sidecar, its keys checked, the participants file made absolute. Raises ValueError that names the key."""
    stated = dict(_parsed(sidecar.read_text(encoding="utf-8"), sidecar.name))
    table = stated.get("participants")
    if table is not None:
        if not isinstance(table, dict) or not {"file", "subject"} <= set(table):
            raise ValueError(
                f"{sidecar.name}: participants is {table!r}, expected `participants: {{file: people.csv, subject: COLUMN}}`"
            )
        base = sidecar.parent / str(stated.get("root", ""))
        stated["participants"] = table | {"file": str((base / table["file"]).resolve())}
    return stated


def excluded(path: Path, top: Path, description: Mapping[str, Any]) -> bool:
    """True where `exclude` names this file, by its own name or by its path below the root."""
    relative = path.relative_to(top).as_posix() if top in path.parents else path.name
    return any(fnmatch(path.name, p) or fnmatch(relative, p) for p in _list(description.get("exclude", [])))


def entities_of(path: Path, description: Mapping[str, Any]) -> dict[str, str]:
    """Subject, session, task, run and study as the sidecars give them: by pattern, by map, or by value."""
    found = _matched(path, description)
    entities = {}
    for name in ENTITIES:
        stated = description.get(name)
        if isinstance(stated, Mapping):
            entities[name] = _mapped(path, name, found.get(name), stated)
        elif stated is not None or name in found:
            entities[name] = str(found.get(name, stated))
    return entities


def _mapped(path: Path, name: str, value: str | None, names: Mapping[Any, Any]) -> str:
    table = {str(key): str(meaning) for key, meaning in names.items()}
    if value is None:
        raise ValueError(
            f"{path.name}: {name} is a map, but nothing was found to look up in it: add {{{name}}} to `pattern`"
        )
    if value not in table:
        raise ValueError(
            f"{path.name} has the {name} {value!r}, but the map knows {sorted(table)}: add `{value!r}: NAME` to `{name}`"
        )
    return table[value]


def matches(path: Path, description: Mapping[str, Any]) -> bool:
    """True where one of the patterns fits, or none is stated."""
    patterns = _list(description.get("pattern", []))
    return not patterns or any(re.fullmatch(_regex(p), "/".join(path.parts[-1 - p.count("/") :])) for p in patterns)


def _matched(path: Path, description: Mapping[str, Any]) -> dict[str, str]:
    patterns = _list(description.get("pattern", []))
    for pattern in patterns:
        match = re.fullmatch(_regex(pattern), "/".join(path.parts[-1 - pattern.count("/") :]))
        if match:
            return match.groupdict()
    if patterns:
        raise ValueError(
            f"{path.name} matches none of the patterns {patterns}: add one, or leave the file out with `exclude: [{path.name}]`"
        )
    return {}


def _regex(pattern: str) -> str:
    """A regular expression: {subject} becomes a named group, * anything within one folder."""
    return "".join(_piece(piece, pattern) for piece in re.split(r"(\{\w+\}|\*)", pattern))


def _piece(piece: str, pattern: str) -> str:
    if piece == "*":
        return "[^/]*"
    if not re.fullmatch(r"\{\w+\}", piece):
        return re.escape(piece)
    if piece[1:-1] not in ENTITIES:
        raise ValueError(
            f"pattern {pattern!r} has {piece}, expected one of {{{'}, {'.join(ENTITIES)}}} or * for what does not matter"
        )
    return f"(?P<{piece[1:-1]}>[^/]+?)"


def _list(value: Any) -> list[str]:
    return [str(v) for v in value] if isinstance(value, list) else [str(value)]
