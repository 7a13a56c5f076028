"""The page of a grid: scores against size with both laws, what half foresaw, and a table of every cell."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from brainfm.files import written
from brainfm.report.grid_brain import grid_brain
from brainfm.report.layers import layers_of
from brainfm.report.scaling_curves import curves
from brainfm.report.sentences import counted, number, words
from brainfm.report.tables import Table
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
        kind="grid",
        finished="",
        version="",
        recipe_is="Recipe with its grid",
        question=f"How {metric} grows with {x.rpartition('.')[2].replace('_', ' ')}",
        verdict=[one.sentence() for one in found],
        facts=_facts(rows, found),
        curves=[curves(own, f"c{i}") for i, own in enumerate(_by_target(found))],
        layers=[drawn for i, own in enumerate(_by_target(found)) if (drawn := layers_of(own, f"l{i}"))],
        brain=grid_brain(out, found),
        laws=_laws(found),
        foreseen=_foreseen(found),
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


def _laws(found: Sequence[Series]) -> Table:
    rows, marked = [], []
    for one in found:
        for fit in one.scaling.fits.values() if one.scaling is not None else ():
            marked += [len(rows)] if one.scaling is not None and fit is one.scaling.preferred else []
            parts = zip(fit.law.parameters, fit.value, fit.interval().values(), strict=True)
            told = ", ".join(f"{name} {value:.3g} [{low:.3g}, {high:.3g}]" for name, value, (low, high) in parts)
            rows.append([_label(one), fit.law.name, told, f"{fit.left_out:.4f}", f"{fit.largest:.4f}"])
    caption = "Parameters with 95 % intervals; errors are root mean squares in predicting a size from the others."
    columns = ["series", "law", "parameters", "each size left out", "the largest left out"]
    return Table(caption, columns, rows, words=3, marked=marked)


def _foreseen(found: Sequence[Series]) -> Table:
    rows = [
        [
            _label(one), f"{row['x']:.4g}", f"{row['value']:.3f}", f"{row['low']:.3f} to {row['high']:.3f}", f"{row['score']:.3f}",
            "yes" if row["inside"] else "no",
        ]
        for one in found
        for row in one.foreseen.to_dict("records")
    ]  # fmt: skip
    caption = "Fitted on sizes up to half of the largest: 80 % prediction interval for each larger size, and what came."
    return Table(caption, ["series", "size", "predicted", "80 % interval", "came", "inside"], rows)


def _label(one: Series) -> str:
    return f"{one.name}, {one.target}"


def _cells(rows: pd.DataFrame, found: Sequence[Series]) -> Table:
    """Every cell under the metric of its series, the axes in front."""
    axes = list(rows.columns[: list(rows.columns).index("cell")])
    metric = {(one.model, one.target): one.metric for one in found}
    asked = [metric.get(pair) for pair in zip(rows["model"], rows["target"], strict=True)]
    shown = rows[rows["metric"] == np.array(asked, dtype=object)]
    keys = ["model", "target", *axes, "n_parameters", "n_train"]
    means = shown.groupby(keys, sort=False, dropna=False)[_BESIDE].mean().reset_index()
    cells = [[*(f"{v:.6g}" if isinstance(v, float) else str(v) for v in row[: len(keys)]), *map(number, row[len(keys) :])]
             for row in means.itertuples(index=False)]  # fmt: skip
    caption = "The mean score of each cell of the grid, beside chance, the best linear baseline and the ceiling."
    return Table(caption, [name.rpartition(".")[2].replace("_", " ") for name in means.columns], cells, words=2)


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
