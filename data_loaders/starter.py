"""A starter recipe: from what a folder holds to a recipe that runs unedited, choosing target, windows, split and encoder."""

from __future__ import annotations

import dataclasses
import glob
import inspect
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from data_loaders import rehearsal
from data_loaders.options import FEWEST, PEOPLE, Option, options
from data_loaders.splits import By, KFold, LeaveOneOut, Split, TimeBlock
from data_loaders.summary import Summary

# pairs of more regions than these are more features than people in any study
_MOST_REGIONS = 500


class NothingToDecodeError(ValueError):
    """The recordings hold neither kinds of events, nor tasks, participants' columns or streams to decode."""


def starter_recipe(summary: Summary, store: str | Path, file: str = "starter.yaml") -> str:
    """The YAML text of a recipe on the store that `brainfm prepare` makes of the same folder.

    `file` is where the text will be saved: its header says the commands. Raises NothingToDecodeError where there is no
    target, or too little of each for two folds.
    """
    summary, source = _comparable(summary)
    found = options(summary)
    chosen = next(((option, split) for option in found if (split := _split(summary, option)) is not None), None)
    if chosen is None:
        raise NothingToDecodeError(
            f"{summary.root} holds nothing to decode: no trial type occurs {FEWEST} times beside another, there is one task, and "
            f"no column of participants tells people apart: add events.tsv or participants.tsv"
        )
    option, split = chosen
    recipe = _recipe(summary, option, split, source, store)
    body = yaml.safe_dump(recipe, sort_keys=False, default_flow_style=None, width=120, allow_unicode=True)
    return _header(summary, option, split, found, source, store, file) + body


def _comparable(summary: Summary) -> tuple[Summary, Path]:
    """Sorted units and imaged cells differ from session to session: the recipe then takes the longest recording alone."""
    sets = {r.ch_names for r in summary.recordings}
    if not {"spikes", "calcium"} & set(summary.modalities) or len(sets) == 1:
        return summary, summary.root
    longest = max(summary.recordings, key=lambda r: r.duration)
    return dataclasses.replace(summary, recordings=(longest,), n_recordings=1, unread={}), longest.path


def _recipe(summary: Summary, option: Option, split: Split, source: Path, store: str | Path) -> dict[str, Any]:
    spikes = "spikes" in summary.modalities
    signal = (
        {"source": "spikes", "start": option.start, "stop": option.stop, "sfreq": 50.0}
        if spikes
        else {"start": option.start, "stop": option.stop}
    )
    data = {
        "store": str(store), "windows": _windows(option), "fields": {"signal": signal}, "targets": [option.target],
        "transforms": _transforms(summary, option), "split": _stated(split), "batch_size": 256 if spikes else 64,
    }  # fmt: skip
    learn = {"lr": 0.004} if spikes else {"lr": 0.001, "weight_decay": 0.01}
    return {
        "prepare": {"source": str(source), **summary.asked},
        "data": _part("data_loaders.datamodule.Data", **data),
        "encoder": _part(_encoder(summary, option)),
        "objective": _objective(option, _encoder(summary, option)),
        "evaluators": [_part("brainfm.evaluators.decoding.Decoding")],
        "optimizer": _part("torch.optim.AdamW", **learn),
        "scheduler": _part("torch.optim.lr_scheduler.OneCycleLR", max_lr=learn["lr"]),
        "trainer": {"max_steps": 400},
        "seed": 0,
    }  # fmt: skip


def _windows(option: Option) -> dict[str, Any]:
    if option.kinds is None:
        return _part("data_loaders.windows.Tile", stride=option.stride)
    return _part("data_loaders.windows.Around", trial_type="|".join(glob.escape(kind) for kind in option.kinds))


def _encoder(summary: Summary, option: Option) -> str:
    """EEGNeX, where a window has samples enough for its two poolings; else a GRU; for fMRI the linear one."""
    if summary.modalities[0] == "fmri":
        return "brainfm.encoders.linear.Linear"
    n_times = (option.stop - option.start) * _rate(summary)
    return (
        "brainfm.encoders.gru.GRU"
        if {"spikes", "calcium"} & set(summary.modalities) or n_times < 40
        else "brainfm.encoders.eegnex.EEGNeX"
    )


def _rate(summary: Summary) -> float:
    """Hertz after resampling: 128 where the recordings have more."""
    slowest = min(summary.sfreqs)
    return 128.0 if slowest > 160 else slowest


def _objective(option: Option, encoder: str) -> dict[str, Any]:
    if not option.column:
        return _part("brainfm.objectives.regression.Regression")
    path = "brainfm.objectives.classification.Classification"
    # the norm that the authors of EEGNeX give its classifier
    return _part(path, max_norm=0.25) if encoder.endswith("EEGNeX") else _part(path)


def _transforms(summary: Summary, option: Option) -> list[dict[str, Any]]:
    """Filters for continuous recordings only: at the edge of a short trial they would ring."""
    if "spikes" in summary.modalities:
        return [_part("data_loaders.transforms.SquareRoot")]
    if summary.modalities[0] == "fmri":
        return _slow(summary, option)
    if "calcium" in summary.modalities:
        return [_part("data_loaders.transforms.RobustScale"), _part("data_loaders.transforms.Clamp", limit=20.0)]
    chain, goal = [], _rate(summary)
    if not option.cut:
        chain.append(_part("data_loaders.transforms.BandPass", l_freq=0.5, h_freq=round(min(40.0, 0.4 * goal), 1)))
    if set(summary.sfreqs) != {goal}:
        chain.append(_part("data_loaders.transforms.Resample", sfreq=goal))
    if len({r.ch_names for r in summary.recordings}) > 1:
        chain.append(_part("data_loaders.transforms.Pick", names=summary.ch_names))
    if len(summary.channels) > 1:
        chain.append(_part("data_loaders.transforms.ScaleByType"))
    return [*chain, _part("data_loaders.transforms.RobustScale"), _part("data_loaders.transforms.Clamp", limit=20.0)]


def _slow(summary: Summary, option: Option) -> list[dict[str, Any]]:
    """For fMRI: correlations of regions where people or tasks are told apart, else every channel on its own scale."""
    chain = []
    if len({r.ch_names for r in summary.recordings}) > 1:
        chain.append(_part("data_loaders.transforms.Pick", names=summary.ch_names))
    if (option.kinds is None and option.column != "") or option.people:
        few = 3 <= len(summary.ch_names) <= _MOST_REGIONS
        return [*chain, _part("data_loaders.transforms.connectome.Connectome")] if few else chain
    return [*chain, _part("data_loaders.transforms.RobustScale"), _part("data_loaders.transforms.Clamp", limit=20.0)]


def _split(summary: Summary, option: Option) -> Split | None:
    """The first of the sound ways to split that has every class in every fold; None where none has."""
    extent = (option.start, option.stop)
    windows = (
        rehearsal.tile(summary, option.stride, extent)
        if option.kinds is None
        else rehearsal.around(summary, option.kinds, extent)
    )
    if option.people and option.column:
        values = [summary.recordings[int(r)].demographics.get(option.column) for r in windows.recording]
        windows = dataclasses.replace(windows, metadata=windows.metadata.assign(**{option.column: values}))
    labels = windows.column(option.column).astype(str) if option.column else None
    return rehearsal.first_that_works(_splits(summary, option), windows, labels)


def _splits(summary: Summary, option: Option) -> Iterator[Split]:
    folds = (5, 4, 3, 2)
    between = option.people or (option.column and len(summary.subjects) >= PEOPLE)
    if between:
        yield from (By("subject", n) for n in folds if n <= len(summary.subjects))
    if option.cut and not option.people:
        yield from (KFold(n) for n in folds)
    if not option.people:
        # the response of the blood to the last of one part must be over before the next begins
        gap = 20.0 if summary.modalities[0] == "fmri" else 1.0
        if summary.modalities[0] == "fmri" and all(len(r.segments) > 2 for r in summary.recordings):
            yield LeaveOneOut("segment")
        yield from (TimeBlock(n, gap=gap) for n in folds)
        yield from (
            LeaveOneOut(key, gap=1.0)
            for key in ("run", "session")
            if len({r.entities[key] for r in summary.recordings}) > 1
        )


def _stated(split: Split) -> dict[str, Any]:
    """The split as a recipe writes it: what differs from its defaults."""
    path = f"data_loaders.splits.{type(split).__name__}"
    names = [name for name in inspect.signature(type(split)).parameters if name in ("key", "n_folds", "gap")]
    return _part(path, **{name: getattr(split, name) for name in names if name != "gap" or split.gap})


def _part(path: str, **init_args: Any) -> dict[str, Any]:
    return {"class_path": path, "init_args": init_args} if init_args else {"class_path": path}


def _header(
    summary: Summary, option: Option, split: Split, found: list[Option], source: Path, store: str | Path, file: str
) -> str:
    asked = "".join(f" --{name} {shlex.quote(value)}" for name, value in summary.asked.items())
    people, others = len(summary.subjects), [o.target for o in found if o is not option]
    lines = [
        f"{option.target} from {' and '.join(summary.modalities)} of {people} subject{'s' if people > 1 else ''}, {_UNSEEN[type(split)]}.",
        f"  brainfm prepare {shlex.quote(str(source))} {shlex.quote(str(store))}{asked}",
        f"  brainfm fit --config {shlex.quote(file)}",
        f"  brainfm report {shlex.quote(f'runs/{Path(file).stem}')}",
        f"Written by `brainfm inspect {summary.root}`; nothing was measured with it yet.",
        *([f"Other targets: {', '.join(others[:6])}"] if others else []),
    ]
    return "".join(f"# {line}\n" for line in lines)


_UNSEEN = {
    By: "tested on people never seen",
    KFold: "tested on trials never seen",
    TimeBlock: "tested on stretches of time never seen",
    LeaveOneOut: "tested on runs never seen",
}
