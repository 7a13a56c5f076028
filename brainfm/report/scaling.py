"""The page of a grid: scores against size with both laws, what half foresaw, and a table of every cell."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from brainfm.files import written
from brainfm.report.scaling_curves import curves
from brainfm.report.sentences import counted, number, words
from brainfm.report.template import PAGE, rendered
from brainfm.run.series import Series

_BESIDE = ["value", "chance", "baseline", "ceiling"]


def write(out: Path, rows: pd.DataFrame, found: Sequence[Series]) -> Path:
    """Writes report.html into the folder of a grid and returns its path."""
    with written(out / PAGE) as part:
        part.write_text(html(out, rows, found), encoding="utf-8")
    return out / PAGE


def html(out: Path, rows: pd.DataFrame, found: Sequence[Series]) -> str:
    """The page as text."""
    x, metric = (found[0].x, words(found[0].metric)) if found else ("size", "score")
    return rendered(
        "scaling.html",
        name=out.name,
        question=f"How {metric} grows with {x.rpartition('.')[2].replace('_', ' ')}",
        verdict=[one.sentence() for one in found],
        facts=_facts(rows, found),
        curves=[curves(own, f"c{i}") for i, own in enumerate(_by_target(found))],
        laws=[row for one in found for row in _laws(one)],
        foreseen=[row for one in found for row in _foreseen(one)],
        cells=_cells(rows, found),
        caveats=_caveats(rows, found),
        command=f"brainfm scale --config {out / 'grid.yaml'} --out {out} --x {x}",
        recipe=(out / "grid.yaml").read_text(encoding="utf-8") if (out / "grid.yaml").exists() else "",
    )


def _by_target(found: Sequence[Series]) -> list[list[Series]]:
    targets = dict.fromkeys(one.target for one in found)
    return [[one for one in found if one.target == target] for target in targets]


def _facts(rows: pd.DataFrame, found: Sequence[Series]) -> list[tuple[str, str]]:
    told = [("Cells", str(rows["cell"].nunique())), ("Subjects", str(rows["subject"].nunique()))]
    told += [("Seeds", str(rows["seed"].nunique())), ("Folds", str(rows["fold"].nunique()))]
    hours = rows.drop_duplicates("cell")["seconds"].sum() / 3600
    sizes = sorted({x for one in found for x in one.rows["x"]})
    return [*told, ("Sizes", f"{len(sizes)}, {sizes[0]:.3g} to {sizes[-1]:.3g}"), ("Computing", f"{hours:.2g} h")]


def _laws(one: Series) -> list[dict[str, Any]]:
    if one.scaling is None:
        return []
    rows = []
    for fit in one.scaling.fits.values():
        parts = zip(fit.law.parameters, fit.value, fit.interval().values(), strict=True)
        told = ", ".join(f"{name} {value:.3g} [{low:.3g}, {high:.3g}]" for name, value, (low, high) in parts)
        about = {"series": f"{one.name}, {one.target}", "law": fit.law.name, "parameters": told}
        errors = {"left_out": f"{fit.left_out:.4f}", "largest": f"{fit.largest:.4f}"}
        rows.append(about | errors | {"preferred": fit is one.scaling.preferred})
    return rows


def _foreseen(one: Series) -> list[dict[str, Any]]:
    return [
        {
            "series": f"{one.name}, {one.target}", "x": f"{row['x']:.4g}", "value": f"{row['value']:.3f}",
            "interval": f"{row['low']:.3f} to {row['high']:.3f}", "score": f"{row['score']:.3f}",
            "inside": "yes" if row["inside"] else "no",
        }
        for row in one.foreseen.to_dict("records")
    ]  # fmt: skip


def _cells(rows: pd.DataFrame, found: Sequence[Series]) -> dict[str, Any]:
    """Every cell under the metric of its series, the axes in front."""
    axes = list(rows.columns[: list(rows.columns).index("cell")])
    metric = {(one.model, one.target): one.metric for one in found}
    asked = [metric.get(pair) for pair in zip(rows["model"], rows["target"], strict=True)]
    shown = rows[rows["metric"] == np.array(asked, dtype=object)]
    keys = ["model", "target", *axes, "n_parameters", "n_train"]
    means = shown.groupby(keys, sort=False, dropna=False)[_BESIDE].mean().reset_index()
    cells = [[*(f"{v:.6g}" if isinstance(v, float) else str(v) for v in row[: len(keys)]), *map(number, row[len(keys) :])]
             for row in means.itertuples(index=False)]  # fmt: skip
    return {"columns": [name.rpartition(".")[2].replace("_", " ") for name in means.columns], "rows": cells}


def _caveats(rows: pd.DataFrame, found: Sequence[Series]) -> list[str]:
    told = [
        "A law describes the sizes that were seen. Beyond them the band holds what resampling, the choice between two laws and "
        "the scatter leave open, and nothing else: other data, other models and better training can leave it."
    ]
    resampled = sorted({name for one in found for name in one.clusters})
    told.append(f"Intervals come from resampling {' and '.join(resampled)}, each drawn anew with all its scores.")
    if rows["subject"].nunique() == 1:
        told.append(
            "One subject: intervals speak of these recordings. Folds share training data, so they may be too narrow."
        )
    if rows["seed"].nunique() == 1:
        told.append("One seed: the spread over random initialisations is in the scatter about the curve alone.")
    few = [one for one in found if one.scaling is None]
    return told + ([f"{counted(len(few), 'series')} with too few sizes to fit a law."] if few else [])
