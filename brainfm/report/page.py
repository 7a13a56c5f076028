"""The page of a run: one HTML file with everything in it, to be read, printed or sent to a colleague."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from brainfm.files import written
from brainfm.report import facts
from brainfm.report.brain import Sections, brain_of
from brainfm.report.confusion import confusion
from brainfm.report.curves import learning_curves
from brainfm.report.drawing import Picture
from brainfm.report.embeddings import embeddings
from brainfm.report.features import features_of
from brainfm.report.headline import Headline, headlines
from brainfm.report.patterns import patterns_of
from brainfm.report.results import Results
from brainfm.report.sentences import caveats, counted
from brainfm.report.subjects import per_subject
from brainfm.report.template import PAGE, rendered
from brainfm.report.topomap import topomaps
from brainfm.report.traces import scatter, trace


def write(run: Path) -> Path:
    """Writes report.html into a run folder and returns its path. Raises ValueError where no fold is scored yet."""
    results = Results(Path(run))
    with written(results.path / PAGE) as part:
        part.write_text(html(results), encoding="utf-8")
    return results.path / PAGE


def html(run: Results) -> str:
    """The page as text."""
    found = headlines(run)
    return rendered(
        "page.html",
        name=run.path.name,
        kind="run",
        question=facts.question(run),
        finished=str(run.provenance.get("finished") or "").replace("T", " ")[:16],
        verdict=[*facts.trial(run), *(sentence for headline in found for sentence in headline.sentences())],
        facts=facts.facts(run),
        targets=[_section(headline, f"t{i}") for i, headline in enumerate(found)],
        curves=learning_curves(run.folds, "curves"),
        embeddings=embeddings(run.folds, "embedding"),
        patterns=_patterns(run, found[0]),
        features=next((table for h in found if h.target == "signal" and (table := features_of(run, h.metric))), None),
        brain=_brain(run, found),
        flags=facts.flags(run),
        guarded=f"{counted(len(run.folds), 'fold')}, tested {facts.protocol(run)}.",
        caveats=caveats(run.rows["subject"].nunique(), len(run.folds), run.rows["seed"].nunique())
        + facts.unfinished(run),
        decisions=facts.decisions(run),
        command=facts.command(run),
        provenance=facts.provenance(run),
        recipe=run.recipe_text,
        recipe_is="Recipe, as resolved",
        version=facts.version(run),
    )


def _section(headline: Headline, key: str) -> dict[str, Any]:
    metrics, others = headline.all_metrics()
    return {
        "name": headline.target,
        "caption": f"{headline.metric_words[0].upper()}{headline.metric_words[1:]} {facts.protocol(headline.run)}.",
        "metric": headline.metric_words,
        "model": headline.model,
        "ceiling": headline.has_ceiling(),
        "rows": headline.table(),
        "method": headline.method(),
        "per_subject": per_subject(headline.rows, headline.summary, headline.model, f"{key}s"),
        "pictures": list(_pictures(headline, key)),
        "metrics": metrics,
        "others": others if len(metrics) > 1 else [],
    }


def _pictures(headline: Headline, key: str) -> Iterator[Picture]:
    """What the model got wrong: confusions of classes, or values against the truth."""
    shown = [headline.model, *([headline.rival] if headline.rival else [])]
    tables = {model: headline.run.predictions(model, headline.target) for model in shown}
    tables = {model: table for model, table in tables.items() if len(table)}
    if headline.model not in tables:
        return
    ours = tables[headline.model]
    drawn = (
        confusion(tables, f"{key}c"),
        trace(ours, headline.model, f"{key}t"),
        scatter(ours, headline.model, f"{key}v"),
    )
    yield from filter(None, drawn)


def _brain(run: Results, found: list[Headline]) -> Sections:
    """Of the model and of the best beside it, where scores per channel were written."""
    signal = next((headline for headline in found if headline.target == "signal"), None)
    if signal is None:
        return []
    return brain_of(run, [signal.model, *([signal.rival] if signal.rival else [])], signal.metric)


def _patterns(run: Results, headline: Headline) -> Picture | None:
    """Of the model that decodes best: what goes with the output of one at chance is noise."""
    found = None if headline.best is None else patterns_of(run, headline.best, headline.target)
    return None if found is None else topomaps(found, "maps")
