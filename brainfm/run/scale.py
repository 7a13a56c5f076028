"""Scaling a recipe: every cell of its grid computed, one table of all, fits of both laws, and a page."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from brainfm.files import written
from brainfm.run.executors import Executor
from brainfm.run.folder import plain
from brainfm.run.grid import LOG, Cell, cells_of, compute, summary_of
from brainfm.run.series import Axis, series_of
from data_loaders.locks import alone

GRID, CELLS, SCORES, FITS = "grid.yaml", "cells", "scores", "fits.json"


def scale(recipe: Mapping[str, Any], out: Path, executor: Executor, axis: Axis | None = None) -> Path:
    """Computes the cells that are not done yet and writes cells and scores (csv and parquet), fits.json and report.html.

    Called again it goes on where it was cut; after a change it computes the cells that the change concerns. Raises
    ValueError where cells failed, after all others were computed.
    """
    with alone(out):
        cells = cells_of(recipe, out)
        with written(out / GRID) as part:
            part.write_text(yaml.safe_dump(plain(recipe), sort_keys=False, allow_unicode=True), encoding="utf-8")
        failed = _computed(cells, executor)
        finished = [cell for cell in cells if cell.done]
        if finished:
            _concluded(finished, out, axis or Axis())
        if failed:
            raise ValueError(_told(failed, len(cells)))
    return out


def _computed(cells: Sequence[Cell], executor: Executor) -> list[tuple[Cell, str]]:
    """Runs what is not done, with a bar and the time remaining; returns the cells that failed, each with its error."""
    waiting = [cell for cell in cells if not cell.done]
    n_before = len(cells) - len(waiting)
    print(f"grid: {len(cells)} cells, {n_before} done before, {len(waiting)} to compute", flush=True)
    failed, console, began = [], Console(), time.monotonic()
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("cells", total=len(cells), completed=n_before)
        for i, (cell, error) in enumerate(executor.run(compute, waiting), start=1):
            bar.advance(task)
            failed += [(cell, error)] if error else []
            left = (time.monotonic() - began) / i * (len(waiting) - i)
            how = f"failed: {error}" if error else "done"
            remaining = "" if console.is_terminal else f"  {left:.0f} s left"
            bar.console.print(
                f"cell {n_before + i} of {len(cells)} ({cell.label}): {how}{remaining}", markup=False, soft_wrap=True
            )
    return failed


def _told(failed: Sequence[tuple[Cell, str]], n: int) -> str:
    cell, error = failed[0]
    again = "the same command computes them again, and no other"
    return f"{len(failed)} of {n} cells failed, the first ({cell.label}) with {error} ({cell.folder / LOG}): mend it, {again}"


def _concluded(cells: Sequence[Cell], out: Path, axis: Axis) -> None:
    rows = pd.concat([cell.result() for cell in cells], ignore_index=True)
    save(out / SCORES, rows)
    save(out / CELLS, _table(cells, rows))
    found = series_of(rows, list(cells[0].axes), axis)
    with written(out / FITS) as part:
        part.write_text(json.dumps([one.facts() for one in found], indent=1), encoding="utf-8")
    for one in found:
        print(one.sentence())
    # what only computes does not wait for matplotlib
    from brainfm.report.scaling import write

    print(f"tables: {out / CELLS}.csv, {out / SCORES}.csv; fits: {out / FITS}; report: {write(out, rows, found)}")


def _table(cells: Sequence[Cell], rows: pd.DataFrame) -> pd.DataFrame:
    """One row per cell, model and target under its first metric: the axes, the value with its interval, what stands beside it."""
    about = rows.drop_duplicates("cell")[[*cells[0].axes, "cell", "n_parameters", "n_train", "train_hours", "seconds"]]
    told = pd.concat([summary_of(cell).assign(cell=cell.folder.name) for cell in cells], ignore_index=True)
    first = told.groupby(["cell", "model", "target"], sort=False).head(1)
    beside = rows.groupby(["cell", "model", "target", "metric"])[["baseline", "ceiling"]].mean().reset_index()
    shown = [c for c in ("cell", "model", "target", "metric", "value", "low", "high", "chance") if c in first]
    return about.merge(first[shown], on="cell").merge(beside, on=["cell", "model", "target", "metric"], how="left")


def save(path: Path, table: pd.DataFrame) -> None:
    """A table twice: as csv for people, as parquet for programs."""
    mixed = [name for name in table if table[name].map(type).nunique() > 1 and table[name].dtype == object]
    table = table.assign(**{name: table[name].astype(str) for name in mixed})
    with written(path.with_suffix(".csv")) as part:
        table.to_csv(part, index=False)
    with written(path.with_suffix(".parquet")) as part:
        table.to_parquet(part, index=False)
