"""Features: which model and layer each stream of an encoding run comes from, at which lags, and what it says alone."""

from __future__ import annotations

import math
import re
from typing import Any

from brainfm.report.results import Results
from brainfm.report.sentences import number
from brainfm.report.tables import Table

# as `brainfm features` names streams: the model, then its hidden state or the name of an output
NAMED = re.compile(r"(?P<model>.+)\.(?P<layer>layer\d+|static|embedding|features)")


def features_of(run: Results, metric: str) -> Table | None:
    """A row per stream of the data; None where the run has no scores per channel or no streams."""
    fields = run.init_args("data").get("fields") or {}
    streams = {name: field for name, field in fields.items() if name != "signal"}
    if run.channels.empty or not streams:
        return None
    rows = [_row(run, name, field, metric) for name, field in streams.items()]
    caption = (
        "Lags are seconds from the start of a sample of the signal. The score of a stream alone is there where the evaluator's "
        "`spaces` hold it alone; `used by` says which fits it went into."
    )
    return Table(
        caption, ["stream", "feature model", "layer", "lags", "used by", "alone", "95 % interval"], rows, words=5
    )


def split(source: str) -> tuple[str, str]:
    """The model and layer of a feature's name.

    >>> split("gpt2.layer8"), split("sound_power")
    (('gpt2', 'layer8'), ('sound_power', '–'))
    """
    found = NAMED.fullmatch(source)
    return (found["model"], found["layer"]) if found else (source, "–")


def _row(run: Results, name: str, field: dict[str, Any], metric: str) -> list[str]:
    model, layer = split(str(field.get("source", name)))
    lags = f"{field['start']:g} to {field['stop']:g} s"
    return [name, model, layer, lags, ", ".join(_users(run, name)) or "–", *_alone(run, name, metric)]


def _users(run: Results, stream: str) -> list[str]:
    """The model itself, and the fits of the evaluator that take the stream."""
    taken = run.init_args("encoder").get("streams")
    told = ["the model"] if taken is None or stream in taken else []
    for asked in _evaluations(run):
        told += ["controls"] if stream in (asked.get("controls") or []) else []
        told += [space for space, streams in (asked.get("spaces") or {}).items() if stream in streams]
        told += ["Poisson GLM"] if stream in (asked.get("glm") or []) else []
    return told


def _alone(run: Results, stream: str, metric: str) -> tuple[str, str]:
    spaces = [
        s for asked in _evaluations(run) for s, streams in (asked.get("spaces") or {}).items() if streams == [stream]
    ]
    found = run.summary[(run.summary["model"].isin(spaces)) & (run.summary["metric"] == metric)]
    if found.empty:
        return "–", "–"
    row = found.iloc[0]
    interval = "–" if math.isnan(row["low"]) else f"{number(row['low'])} to {number(row['high'])}"
    return number(float(row["value"])), interval


def _evaluations(run: Results) -> list[dict[str, Any]]:
    return [part.get("init_args") or {} for part in run.recipe.get("evaluators") or []]
