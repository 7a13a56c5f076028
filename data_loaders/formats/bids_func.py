"""BIDS func folders, raw and as fMRIPrep leaves them: entities, spaces, JSON, masks, confounds, events."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from data_loaders.formats import bids
from data_loaders.formats.events import empty_events
from data_loaders.formats.scan import DamagedError

_WORDS = {"sub": "subject", "ses": "session", "task": "task", "run": "run"}
# what makes several files of one run: another space, resolution, processing or half of the cortex
_VARIANTS = ("space", "cohort", "res", "den", "desc", "hemi")


def entities_in(path: Path) -> dict[str, str]:
    """The entities of a BIDS name: subject, session, task and run in words, the others by their short keys; and `suffix`.

    >>> entities_in(Path("sub-01_task-rest_space-fsLR_den-91k_bold.dtseries.nii"))["den"]
    '91k'
    """
    pairs: list[tuple[str, str]] = re.findall(r"(?:^|_)([a-z]+)-([A-Za-z0-9+]+)", path.name)
    suffix = path.name.split(".")[0].rpartition("_")[2]
    return {_WORDS.get(key, key): value for key, value in pairs} | {"suffix": suffix}


def is_bold(path: Path) -> bool:
    """True for a bold series in a func folder; pre-processed ones only where the space is one that fMRIPrep gives out."""
    return path.parent.name == "func" and entities_in(path)["suffix"] == "bold"


def run_of(path: Path) -> dict[str, str]:
    """Everything in the name that says which run it is, and nothing of how it was processed."""
    return {key: value for key, value in entities_in(path).items() if key not in (*_VARIANTS, "suffix")}


def variant_of(path: Path) -> str:
    """How this file differs from others of its run, in fMRIPrep's own spelling of output spaces: `fsLR:den-91k`."""
    found = entities_in(path)
    parts = [f"{key}-{found[key]}" for key in ("cohort", "res", "den") if key in found]
    parts += [f"desc-{found['desc']}"] if found.get("desc", "preproc") != "preproc" else []
    return ":".join([found.get("space", "native"), *parts])


def chosen(paths: Sequence[Path], space: str | None) -> Path:
    """The one of several files of a run that is in the space asked for.

    Raises ValueError that lists the spaces where there are several and none, or none of these, is asked for.
    """
    variants = {variant_of(path): path for path in paths}
    fitting = [name for name in variants if space is None or name == space or name.split(":")[0] == space]
    exact = [name for name in fitting if name == space]
    if len(exact or fitting) == 1:
        return variants[(exact or fitting)[0]]
    run = "_".join(f"{key}-{value}" for key, value in run_of(paths[0]).items())
    asked = "is there in" if space is None else f"is asked for in {space}, and is there in"
    raise ValueError(f"{run} {asked} the spaces {', '.join(sorted(variants))}: which one? State it in brainfm.yaml, such as "
                     f"`space: {sorted(fitting or variants)[0]}`")  # fmt: skip


def metadata(path: Path, dataset: Path) -> dict[str, Any]:
    """What the JSON files that speak for a file say together (inheritance principle); nearer and more specific wins."""
    mine = entities_in(path).items()
    merged: dict[str, Any] = {}
    for folder in reversed([f for f in path.parents if f == dataset or dataset in f.parents]):
        speaking = [p for p in folder.glob("*_bold.json") if {k: v for k, v in entities_in(p).items()}.items() <= mine]
        speaking += [p for p in [folder / "bold.json"] if p.is_file()]
        for file in sorted(speaking, key=lambda p: len(entities_in(p))):
            merged |= _json(file)
    return merged


def beside(path: Path, ending: str) -> Path | None:
    """The file of the same run, space and resolution with another ending, such as `desc-brain_mask.nii.gz`."""
    mine = {key: value for key, value in entities_in(path).items() if key not in ("desc", "suffix", "echo")}
    for other in sorted(path.parent.glob(f"*{ending}")):
        theirs = {key: value for key, value in entities_in(other).items() if key not in ("desc", "suffix")}
        if theirs == mine:
            return other
    return None


def confounds_table(path: Path) -> Path | None:
    """The table of confounds of fMRIPrep for this run."""
    run = run_of(path)
    for other in sorted(
        [*path.parent.glob("*desc-confounds_timeseries.tsv"), *path.parent.glob("*desc-confounds_regressors.tsv")]
    ):
        if {k: v for k, v in run_of(other).items()} == {k: v for k, v in run.items() if k != "echo"}:
            return other
    return None


def tables_of(path: Path, dataset: Path) -> dict[str, Path]:
    """The tables of events and participants; those of a derivative lie in the raw dataset above it."""
    found: dict[str, Path] = {}
    for root in bids.upwards(dataset):
        twin = root / path.relative_to(dataset)
        events = bids.inherited(twin, root, "events")
        people = root / "participants.tsv"
        found = ({"events": events} if events else {}) | ({"participants": people} if people.is_file() else {}) | found
    return found


def events_of(tables: Mapping[str, Path], start: float) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The table of events, onsets in seconds from the time that the first volume stands for (`start`, of StartTime)."""
    if "events" not in tables:
        return empty_events(), ("no events.tsv",)
    table, told = bids.events_table(tables["events"])
    if start and len(table):
        told = (
            *told,
            f"onsets are {start:g} s earlier: volumes stand for that time after their start (StartTime, slice timing)",
        )
        table = table.assign(onset=table["onset"] - start)
    return table, told


def _json(file: Path) -> dict[str, Any]:
    try:
        stated = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise DamagedError(file, f"no JSON: {error}") from error
    return stated if isinstance(stated, dict) else {}
