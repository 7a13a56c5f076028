"""A finished run on its own data: judged again from its saved weights, or let predict its test windows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from brainfm import checkpoints
from brainfm.objectives.base import Objective
from brainfm.recipe import Recipe
from brainfm.run.embedding import control_of, wants_control
from brainfm.run.folder import PREDICTIONS, RunFolder
from brainfm.run.judge import conclude, judge, show
from brainfm.run.passing import relearned
from brainfm.run.seeding import fold_seed, fresh_objective
from brainfm.run.tables import checked, save, table
from brainfm.systems.training import Training
from data_loaders import leakage
from data_loaders.datamodule import Data
from data_loaders.locks import alone


def evaluate(path: Path) -> pd.DataFrame:
    """Judges every fold anew from its saved weights, rewrites the run's tables, and returns the scores."""
    run, recipe = _opened(path)
    with alone(path):
        for number in range(len(recipe.data.folds)):
            objective = _restored(recipe, run, number)
            folder = run.fold(number)
            control = (
                control_of(recipe, number, folder, f"fold {number + 1}") if wants_control(recipe, objective) else None
            )
            run.save_fold(number, *judge(recipe, objective, folder, control))
        show(run, conclude(run, recipe))
    return run.scores(len(recipe.data.folds))


def predict(path: Path, fold: int | None = None, out: Path | None = None) -> pd.DataFrame:
    """Predictions of each fold's test windows, keyed by recording and time, as predictions.parquet and .csv in `out`.

    `fold` names one model; `out` is the run folder where left out. Columns: fold, recording_name, subject, onset_s
    (seconds), `truth`, and p_<class> or value_<dimension>. Raises ValueError where the run has no such fold.
    """
    run, recipe = _opened(path)
    tables = []
    for number in checked(fold, len(recipe.data.folds)):
        objective = _restored(recipe, run, number)
        passed = recipe.data, recipe.data.fold.test, Training(**recipe.trainer)
        tables.append(table(run.fold(number), objective, *passed).assign(fold=number))
    return save(pd.concat(tables, ignore_index=True), RunFolder(out or path), Path(PREDICTIONS).stem)


def _opened(path: Path) -> tuple[RunFolder, Recipe]:
    run = RunFolder(path)
    run.recipe()
    return run, Recipe.read([path / "recipe.yaml"])


def _restored(recipe: Recipe, run: RunFolder, number: int) -> Objective:
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
