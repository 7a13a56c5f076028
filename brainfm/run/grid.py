"""A grid: the recipe's `grid` spans cells, each a run of its own under a key, whole or absent, never computed twice."""

from __future__ import annotations

import json
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import pandas as pd

from brainfm.files import written
from brainfm.grammar.nearest import RecipeError
from brainfm.grammar.read import overridden
from brainfm.grammar.whole import check_recipe
from brainfm.recipe import Recipe
from brainfm.run.cell_key import key_of
from brainfm.run.fit import fit
from brainfm.run.folder import SCORES, SUMMARY
from data_loaders.locks import alone

RESULT, LOG, CELL = SCORES, "log.txt", "cell.json"


@dataclass(frozen=True)
class Cell:
    """One place of a grid: its value on each axis, its recipe without `grid`, and its folder, which the key names."""

    axes: dict[str, Any]
    recipe: dict[str, Any]
    folder: Path

    @property
    def done(self) -> bool:
        """True where its scores are written: they are written last, and whole."""
        return (self.folder / RESULT).exists()

    @property
    def label(self) -> str:
        """The values of its axes, the last word of each key before them."""
        return ", ".join(f"{key.rpartition('.')[2]} {shown(value)}" for key, value in self.axes.items())

    def result(self) -> pd.DataFrame:
        """Score rows with the axes, `cell`, `n_parameters`, `n_train`, `train_hours` and `seconds` before them."""
        about = json.loads((self.folder / CELL).read_text(encoding="utf-8"))
        rows = pd.read_parquet(self.folder / RESULT)
        told = {key: shown(value) for key, value in self.axes.items()} | {"cell": self.folder.name} | about
        return pd.concat([pd.DataFrame([told] * len(rows), index=rows.index), rows], axis=1)


def cells_of(recipe: Mapping[str, Any], out: Path) -> list[Cell]:
    """Every cell of a recipe's grid, in order, the last axis fastest. Raises RecipeError for an axis that is none."""
    axes = _checked(recipe)
    base = {key: value for key, value in recipe.items() if key != "grid"}
    return [_cell(base, dict(zip(axes, values, strict=True)), out) for values in product(*axes.values())]


def compute(cell: Cell) -> str | None:
    """Runs a cell, unless it is done; returns what went wrong. What it prints goes to its log.

    Where another process is computing it, waits for that one. A cell that was cut goes on where it was, fold by fold.
    """
    with alone(cell.folder, waits=True):
        if cell.done:
            return None
        cell.folder.mkdir(parents=True, exist_ok=True)
        with (cell.folder / LOG).open("a", encoding="utf-8") as log, redirect_stdout(log):
            print(f"== {cell.label}: started {time.strftime('%Y-%m-%d %H:%M:%S')}", flush=True)
            try:
                _run(cell)
            except (
                Exception
            ) as error:  # one cell that fails must not take the others with it: the verb tells at the end
                print(traceback.format_exc(), flush=True)
                return f"{type(error).__name__}: {error}"
    return None


def shown(value: Any) -> Any:
    """A value of an axis as a table has it: numbers and words as they are, a part by its class and what it states."""
    if isinstance(value, Mapping) and "class_path" in value:
        stated = ", ".join(f"{key}={shown(item)}" for key, item in (value.get("init_args") or {}).items())
        return value["class_path"].rpartition(".")[2] + (f"({stated})" if stated else "")
    if isinstance(value, list | tuple):
        return "+".join(str(shown(item)) for item in value)
    return value if isinstance(value, int | float | str) else str(value)


def _checked(recipe: Mapping[str, Any]) -> dict[str, list[Any]]:
    grid = recipe.get("grid")
    if not grid:
        example = "grid: {data.train_share: [0.1, 0.3, 1.0], seed: [0, 1]}"
        raise RecipeError(f"grid is missing, and scale needs what to vary: add `{example}`, or fit the recipe instead")
    for key, values in grid.items():
        if not isinstance(values, list) or not values:
            raise RecipeError(f"grid.{key} is {values!r}, expected a list of values: write [{values!r}]")
        if any(shown(a) == shown(b) for i, a in enumerate(values) for b in values[:i]):
            raise RecipeError(f"grid.{key} names a value twice: keep each value of {values} once")
    return dict(grid)


def _cell(base: Mapping[str, Any], axes: dict[str, Any], out: Path) -> Cell:
    try:
        recipe = overridden(dict(base), [(key, json.dumps(value)) for key, value in axes.items()])
        check_recipe(recipe)
    except RecipeError as error:
        told = ", ".join(f"{key} = {shown(value)}" for key, value in axes.items())
        raise RecipeError(f"grid cell {told}: {error}") from error
    return Cell(axes, recipe, out / "cells" / key_of(recipe))


def _run(cell: Cell) -> None:
    began = time.monotonic()
    recipe = Recipe.of(cell.recipe)
    run = fit(recipe, cell.folder / "run", ["brainfm", "scale"])
    n_folds = len(recipe.data.folds)
    rows = pd.concat([pd.read_parquet(run / f"fold-{k}" / SCORES) for k in range(n_folds)], ignore_index=True)
    if rows.empty:
        raise ValueError("the recipe has no evaluators, so nothing is scored: add `evaluators` to it")
    about = {
        "n_parameters": sum(weight.numel() for weight in recipe.objective.parameters()),
        **_seen(recipe), "seconds": round(time.monotonic() - began, 1),
    }  # fmt: skip
    with written(cell.folder / CELL) as part:
        part.write_text(json.dumps(about), encoding="utf-8")
    with written(cell.folder / RESULT) as part:
        rows.to_parquet(part, index=False)


def _seen(recipe: Recipe) -> dict[str, float]:
    """How many windows a fold trains on, and how many hours they cover; means over folds."""
    counted, hours = [], []
    for number in range(len(recipe.data.folds)):
        recipe.data.use(number, recipe.seed)
        table, (start, stop) = recipe.data.metadata("train"), recipe.data.extent
        counted.append(len(table))
        hours.append(sum(_covered(own, stop - start) for own in _onsets(table)) / 3600)
    return {"n_train": sum(counted) / len(counted), "train_hours": sum(hours) / len(hours)}


def _onsets(table: pd.DataFrame) -> Iterator[Sequence[float]]:
    for _, own in table.groupby(["recording_name"], sort=False):
        yield sorted(own["onset_s"])


def _covered(onsets: Sequence[float], length: float) -> float:
    """Seconds of a recording that its windows cover, overlaps once."""
    return sum(min(length, later - earlier) for earlier, later in pairwise(onsets)) + length


def summary_of(cell: Cell) -> pd.DataFrame:
    """The table of a cell's run, with intervals."""
    return pd.read_csv(cell.folder / "run" / SUMMARY)
