"""A finished run, used: judged again from its saved weights, or let predict windows it has or has not seen."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from brainfm import checkpoints
from brainfm.grammar.resolve import opened
from brainfm.objectives.base import Objective
from brainfm.recipe import Recipe
from brainfm.run.embedding import control_of, wants_control
from brainfm.run.folder import PREDICTIONS, RunFolder
from brainfm.run.judge import conclude, judge, show
from brainfm.run.passing import in_order, predicted, relearned
from brainfm.run.seeding import fold_seed, fresh_objective
from brainfm.run.train import device_of
from brainfm.systems.training import Training
from data_loaders import leakage
from data_loaders.datamodule import Data
from data_loaders.locks import alone
from data_loaders.windows import Windows


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


def predict(path: Path, store: str | Path | None = None, fold: int | None = None) -> pd.DataFrame:
    """Predictions keyed by recording and time, written as predictions.parquet and .csv into the run folder.

    Each fold's model predicts its own test windows, or, where a `store` is given, all windows of that one; `fold` names
    one model. Columns: fold, recording_name, subject, onset_s (seconds), `truth` where labels are known, and p_<class> or
    value_<dimension>. Raises ValueError where the run has no such fold.
    """
    run, recipe = _opened(path)
    numbers = _checked(fold, len(recipe.data.folds))
    data = recipe.data if store is None else _other_data(recipe, store)
    tables = []
    for number in numbers:
        objective = _restored(recipe, run, number)
        windows = recipe.data.fold.test if store is None else data.windows
        tables.append(_table(recipe, run, number, objective, data, windows))
    table = pd.concat(tables, ignore_index=True)
    stem = Path(PREDICTIONS).stem if store is None else f"predictions-{Path(store).name}"
    run.save_table(f"{stem}.parquet", table)
    print(f"predictions: {len(table):,} rows in {run.save_table(f'{stem}.csv', table)} and .parquet")
    return table


def _opened(path: Path) -> tuple[RunFolder, Recipe]:
    run = RunFolder(path)
    run.recipe()
    return run, Recipe.read([path / "recipe.yaml"])


def _checked(fold: int | None, n_folds: int) -> list[int]:
    if fold is not None and not 0 <= fold < n_folds:
        raise ValueError(f"fold is {fold}, the run has {n_folds}: name one from 0 to {n_folds - 1}")
    return list(range(n_folds)) if fold is None else [fold]


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


def _other_data(recipe: Recipe, store: str | Path) -> Data:
    """All windows of another store; with its labels where it has those of the recipe."""
    part = recipe.resolved["data"]
    split = {"class_path": "brainfm.run.whole.Whole", "init_args": {"val": 0.0}}
    init_args = {**part["init_args"], "store": str(store), "split": split}
    try:
        return opened({**part, "init_args": init_args})
    except ValueError as error:
        print(f"{store}: predicted without truth, because: {error}")
        return opened({**part, "init_args": {**init_args, "targets": []}})


def _table(
    recipe: Recipe, run: RunFolder, number: int, objective: Objective, data: Data, windows: Windows
) -> pd.DataFrame:
    stream = in_order(data, windows, recipe.data.transforms)
    passes = predicted(objective, stream, device_of(Training(**recipe.trainer)))
    outputs = torch.cat([next(iter(prediction.values())) for prediction, _ in passes]).numpy()
    target = checkpoints.read_manifest(run.fold(number))["targets"][0]
    kind, names = ("p", target["classes"]) if target["classes"] else ("value", target["names"])
    columns = {f"{kind}_{name}": outputs[:, i] for i, name in enumerate(names)}
    return _rows(data, windows, target["name"]).assign(fold=number, **columns)


def _rows(data: Data, windows: Windows, target: str) -> pd.DataFrame:
    """Which window each row is, and its truth where that is known."""
    index = np.arange(len(windows))
    run, anchor = windows.locate(index)
    table = windows.metadata.iloc[run].reset_index(drop=True)
    kept = {
        "window_id": windows.ids(index),
        "fold": 0,
        "recording_name": table["recording_name"],
        "subject": table["subject"],
    }
    kept |= {"onset_s": anchor / np.array([data.store.entry(int(r)).sfreq for r in windows.recording[run]])}
    return pd.DataFrame({**kept, **_truth(data, windows, index, target)})


def _truth(data: Data, windows: Windows, index: np.ndarray, target: str) -> dict[str, Any]:
    known = next((t for t in data.targets if t.name == target), None)
    if known is None:
        return {}
    values = known.read(windows, index).numpy()
    if known.classes:
        return {"truth": np.array(known.classes, dtype=object)[values]}
    return {f"truth_{name}": values[:, i] for i, name in enumerate(known.names)}
