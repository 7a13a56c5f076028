"""Facts: what was asked, of which data, and how windows were held out, in the words of the recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from brainfm.grammar.known import recipes
from brainfm.report.results import Results, window_ids
from brainfm.report.stores import catalogs_of
from brainfm.run.folder import RECIPE

# how the parts of a split read in the middle of a sentence
_HELD_OUT = {
    "subject": "on subjects never seen in training",
    "session": "on sessions never seen in training",
    "run": "on runs never seen in training",
    "stimulus": "on stimuli never seen in training",
}


def question(run: Results) -> str:
    """The first sentence of the recipe's header, or what the recipe says without one."""
    for text in (run.recipe_text, *(path.read_text(encoding="utf-8") for path in _asked(run))):
        if told := _header(text):
            return told
    encoder = class_name(run.recipe.get("encoder")) or "A model"
    return f"{encoder}: {', '.join(_targets(run))} from {Path(str(run.init_args('data').get('store', 'data'))).name}"


def facts(run: Results) -> list[tuple[str, str]]:
    """Term and value, for the list under the headline."""
    durations = np.concatenate([[], *(catalog.table["duration"] for catalog in catalogs_of(run))])
    seeds = sorted(run.rows["seed"].unique())
    told = [("Subjects tested", str(run.rows["subject"].nunique()))]
    if len(durations):
        minutes = durations.sum() / 60
        told.append(
            (
                "Recordings",
                f"{len(durations):,}, {minutes / 60:.3g} h"
                if minutes >= 60
                else f"{len(durations):,}, {minutes:.2g} min",
            )
        )
    told.append(("Windows tested", f"{_windows(run):,}"))
    told.append(("Folds", f"{len(run.folds)}, {protocol(run).removeprefix('on ')}"))
    told.append(("Target", ", ".join(_targets(run))))
    told.append(("Seed" if len(seeds) == 1 else "Seeds", ", ".join(map(str, seeds))))
    return told


def protocol(run: Results) -> str:
    """How the test windows were held out: "on subjects never seen in training"."""
    name, args = class_name(_split(run)), run.init_args("data", "split")
    if name in ("By", "LeaveOneOut"):
        key = str(args.get("key", "subject"))
        return _HELD_OUT.get(key, f"on values of {key} never seen in training")
    if name == "TimeBlock":
        return f"on blocks of time left out of training, {float(args.get('gap', 1.0)):g} s away from it"
    if name == "KFold":
        within = args.get("within", "subject")
        return f"on windows left out at random within each {within}" if within else "on windows left out at random"
    return "on windows left out of training"


def decisions(run: Results) -> list[str]:
    """What the readers decided about each recording, as the store keeps it; a decision made of many is told once."""
    told: dict[str, list[str]] = {}
    for catalog in catalogs_of(run):
        for name, decided in zip(catalog.table["name"], catalog.column("decisions"), strict=True):
            for decision in decided:
                told.setdefault(decision, []).append(name)
    return [
        f"{names[0] if len(names) == 1 else f'{len(names)} recordings'}: {decision}" for decision, names in told.items()
    ]


def flags(run: Results) -> list[str]:
    """What the leak guard let pass with a warning, each once however many folds it was raised in."""
    raised: dict[str, list[int]] = {}
    for fold in run.folds:
        for flag in fold.manifest.get("flags", []):
            raised.setdefault(str(flag.get("message", flag)) if isinstance(flag, dict) else str(flag), []).append(
                fold.number
            )
    return [f"{flag} (fold {', '.join(map(str, numbers))})" for flag, numbers in raised.items()]


def unfinished(run: Results) -> list[str]:
    """A sentence where folds are still to come."""
    return (
        []
        if run.finished
        else [f"The run has not ended (folds scored so far: {len(run.folds)}): the numbers will change."]
    )


def trial(run: Results) -> list[str]:
    """A sentence where this was a trial run of the recipe."""
    return (
        ["A trial run (--debug): a few windows and steps, to see whether it runs. The numbers mean nothing."]
        if run.recipe.get("debug")
        else []
    )


def command(run: Results) -> str:
    """What to type to have the same numbers again, from the code of the same commit."""
    commit = run.provenance.get("commit")
    checkout = f"git checkout {commit}\n" if commit else ""
    return f"{checkout}brainfm fit --config {run.path / RECIPE} --out {run.path}-again"


def version(run: Results) -> str:
    """The version of brainfm that made the run, where it was installed."""
    noted = str(run.provenance.get("packages", {}).get("brainfm", ""))
    return noted if noted[:1].isdigit() else ""


def provenance(run: Results) -> list[tuple[str, str]]:
    """Every fact that was noted, nested ones a line each."""
    lines: list[tuple[str, str]] = []
    for key, value in run.provenance.items():
        if isinstance(value, dict):
            lines += [(f"{key}: {name}", str(inner)) for name, inner in value.items()]
        else:
            lines.append((key.replace("_", " "), "–" if value is None else str(value)))
    return lines


def class_name(part: Any) -> str:
    """The last word of a part's class_path; empty where the recipe names no class."""
    return str(part.get("class_path", "")).rpartition(".")[2] if isinstance(part, dict) else ""


def _asked(run: Results) -> list[Path]:
    """The recipe files that the run was started with, as far as they are still there."""
    words = str(run.provenance.get("command", "")).split()
    named = words[words.index("--config") + 1 :][:1] if "--config" in words else []
    names, shipped = [*named, str(run.recipe.get("name", ""))], recipes()
    found = [Path(name) if Path(name).is_file() else shipped.get(name) for name in names]
    return [path for path in found if path is not None]


def _header(text: str) -> str:
    """The comment lines at the top of a recipe up to the first that ends a sentence."""
    lines: list[str] = []
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.lstrip("# ").strip())
        if lines[-1].endswith((".", "?")):
            break
    return " ".join(filter(None, lines)).rstrip(".")


def _targets(run: Results) -> list[str]:
    return list(map(str, run.init_args("data").get("targets") or run.rows["target"].unique()))


def _split(run: Results) -> Any:
    return run.init_args("data").get("split")


def _windows(run: Results) -> int:
    """Test windows, each counted once however many models were scored on it."""
    return sum(len(np.unique(window_ids(fold.predictions))) for fold in run.folds)
