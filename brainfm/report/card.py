"""The card of a run: what was trained on what, how well it does beside chance and baselines, and how to use it, in Markdown."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from brainfm.report import facts
from brainfm.report.headline import Headline, headlines
from brainfm.report.results import Results
from brainfm.report.sentences import caveats
from brainfm.report.stores import catalogs_of

_COLUMNS = {
    "model": "",
    "value": "value",
    "interval": "95 % interval",
    "chance": "chance",
    "ceiling": "ceiling",
    "chosen": "chosen",
}


def card(run: Results, name: str, licence: str, address: str | None = None) -> str:
    """The card, with the header that a model hub reads. `address` is where the weights lie."""
    return "\n".join([_header(run, licence), *_body(run, name, address)]) + "\n"


def manifest(run: Results, name: str, address: str | None = None) -> dict[str, Any]:
    """What a program wants to know: recipe, commit, checksums of data and weights, and every score with its interval."""
    noted = run.provenance
    scores = run.summary[["model", "target", "metric", "value", "low", "high", "chance"]]
    return {
        "name": name, "weights": address, "recipe": run.recipe,
        **{key: noted.get(key) for key in ("commit", "dirty", "packages", "seed", "data")},
        "folds": {fold.number: {"sha256": fold.manifest.get("sha256"), "best": fold.manifest.get("best")} for fold in run.folds},
        "scores": scores.astype(object).where(scores.notna(), None).to_dict("records"),
    }  # fmt: skip


def _header(run: Results, licence: str) -> str:
    modalities = {str(kind) for catalog in catalogs_of(run) for kind in catalog.table["modality"]}
    told = {
        "license": licence, "library_name": "brainfm", "tags": ["neuroscience", *sorted(modalities)],
        "metrics": list(dict.fromkeys(run.summary["metric"])),
    }  # fmt: skip
    return f"---\n{yaml.safe_dump(told, sort_keys=False).strip()}\n---"


def _body(run: Results, name: str, address: str | None) -> Iterator[str]:
    yield f"# {name}\n\n{facts.question(run)}.\n"
    yield from facts.trial(run)
    for headline in headlines(run):
        yield from _scores(headline)
    yield "## Trained on\n"
    yield from (f"- {term}: {value}" for term, value in facts.facts(run))
    yield from (f"- {decision}" for decision in facts.decisions(run))
    yield f"\n## Use\n\n```bash\n{_use(run, address)}\n```\n"
    yield "## Before you rely on it\n"
    told = caveats(run.rows["subject"].nunique(), len(run.folds), run.rows["seed"].nunique())
    yield from (f"- {line}" for line in (*told, *facts.flags(run), *facts.unfinished(run)))
    yield f"\nMade by `{run.provenance.get('command', 'brainfm fit')}`, commit {run.provenance.get('commit') or 'unknown'}."


def _scores(headline: Headline) -> Iterator[str]:
    yield from (f"{sentence}\n" for sentence in headline.sentences())
    shown = [key for key in _COLUMNS if key != "ceiling" or headline.has_ceiling()]
    yield f"**{headline.target}**, {headline.metric_words}:\n"
    yield _row(_COLUMNS[key] for key in shown)
    yield _row("---" for _ in shown)
    yield from (_row(str(cells[key]) for key in shown) for cells in headline.table())
    yield f"\n{headline.method()}\n"


def _row(cells: Any) -> str:
    return f"| {' | '.join(cells)} |"


def _use(run: Results, address: str | None) -> str:
    weights = address or run.path
    return (
        f"brainfm predict {weights} --store STORE --fold {run.folds[0].number}     # other recordings, prepared the same way\n"
        f"brainfm fit --config RECIPE --init_from {weights}     # begin from its encoder"
    )
