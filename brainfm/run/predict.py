"""A finished run on its own data: judged again from its saved weights, or let predict its test windows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from brainfm import checkpoints
from brainfm.grammar.nearest import RecipeError
from brainfm.grammar.read import Overrides
from brainfm.objectives.base import Objective
from brainfm.recipe import Recipe
from brainfm.run.embedding import control_of, wants_control
from brainfm.run.folder import PREDICTIONS, RECIPE, RunFolder, plain
from brainfm.run.judge import conclude, judge, show
from brainfm.run.maps import write_series
from brainfm.run.passing import relearned
from brainfm.run.rejudged import evaluating, note, predicting
from brainfm.run.seeding import fold_seed, fresh_objective
from brainfm.run.tables import checked, save, table
from brainfm.systems.training import Training
from data_loaders import leakage
from data_loaders.datamodule import Data
from data_loaders.locks import alone


def evaluate(path: Path, overrides: Overrides = ()) -> pd.DataFrame:
    """Judges every fold anew from its saved weights, rewrites the run's tables, and returns the scores.

    `overrides` may name other evaluators, which the run's recipe then has: before the first fold is judged, so that a
    killed command is taken up by itself or by `brainfm evaluate RUN`.
    """
    run, recipe = reopened(path, evaluating(path, overrides))
    with alone(path):
        note(path, {"evaluators": plain(recipe.resolved["evaluators"])})
        for number in range(len(recipe.data.folds)):
            objective = restored(recipe, run, number)
            folder = run.fold(number)
            control = (
                control_of(recipe, number, folder, f"fold {number + 1}") if wants_control(recipe, objective) else None
            )
            run.save_fold(number, *judge(recipe, objective, folder, control))
        show(run, conclude(run, recipe))
    return run.scores(len(recipe.data.folds))


def predict(path: Path, fold: int | None = None, out: Path | None = None, overrides: Overrides = ()) -> pd.DataFrame:
    """Predictions of each fold's test windows, keyed by recording and time, as predictions.parquet and .csv in `out`.

    `fold` names one model; `out` is the run folder where left out; `overrides` set how batches go through. Columns: fold,
    recording_name, subject, onset_s (seconds), `truth`, and p_<class> or value_<dimension>. Where the signal is predicted, a
    series of images too, if the store knows where its channels lie. Raises ValueError where the run
    has no such fold.
    """
    run, recipe = reopened(path, predicting(path, overrides, elsewhere=False))
    tables = []
    for number in checked(fold, len(recipe.data.folds)):
        objective = restored(recipe, run, number)
        passed = recipe.data, recipe.data.fold.test, Training(**recipe.trainer)
        tables.append(table(run.fold(number), objective, *passed).assign(fold=number))
    found = save(pd.concat(tables, ignore_index=True), RunFolder(out or path), Path(PREDICTIONS).stem)
    write_series(RunFolder(out or path), recipe.data.store, found)
    return found


def reopened(path: Path, asked: dict[str, Any]) -> tuple[RunFolder, Recipe]:
    """A run folder, and its recipe as it is asked for, built. Raises RecipeError naming the file."""
    try:
        return RunFolder(path), Recipe.of(asked)
    except RecipeError as error:
        raise RecipeError(f"{path / RECIPE}: {error}") from error


def restored(recipe: Recipe, run: RunFolder, number: int) -> Objective:
    """The trained objective of a fold; the fold is current afterwards, with the transforms as they were fitted.

    Raises ValueError where a recording is no longer the one that the model was trained on.
    """
    data, folder = recipe.data, run.path / f"fold-{number}"
    data.use(number, fold_seed(recipe, number))
    _check_unchanged(data, checkpoints.read_manifest(folder)["trained_on"]["sha256"], folder)
    data.transforms = relearned(data.transforms, checkpoints.load_transforms(folder))
    objective = fresh_objective(recipe, number)
    checkpoints.load(objective, folder)
    return objective


def _check_unchanged(data: Data, trained: Sequence[str], folder: Path) -> None:
    # with filters, the checksums of both the store and what was derived from it
    lost = set(trained) - set(leakage.trained_on(data.windows, data.store)["sha256"])
    if lost:
        raise ValueError(
            f"{data.store.path} no longer holds {len(lost)} of the {len(trained)} recordings that {folder} was trained on: "
            f"prepare the store as it was, or fit again into another folder"
        )
