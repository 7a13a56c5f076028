"""A trained run on recordings that it has never seen: weights and fitted transforms are enough, its own data may be far away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from brainfm import checkpoints
from brainfm.grammar.read import Overrides
from brainfm.grammar.resolve import opened
from brainfm.run.folder import PREDICTIONS, RunFolder
from brainfm.run.passing import relearned
from brainfm.run.rejudged import predicting
from brainfm.run.tables import checked, save, table
from brainfm.systems.training import Training
from data_loaders.datamodule import Data


def predict_elsewhere(
    path: Path, store: str | Path, fold: int | None = None, out: Path | None = None, overrides: Overrides = ()
) -> pd.DataFrame:
    """Predictions of each fold's model for all windows of a store, as predictions-<store>.parquet and .csv in `out`.

    `fold` names one model; `out` is the run folder where left out; `overrides` say into which windows the store is cut, and
    how batches go through. Columns as `brainfm.run.predict.predict` has them, with
    truth where the store knows it. Raises ValueError where the run has no such fold, or its recordings have other channels.
    """
    recipe = predicting(path, overrides, elsewhere=True)
    data = _opened(recipe["data"], store)
    fresh, tables = list(data.transforms), []
    for number in checked(fold, len(list(path.glob(f"fold-*/{checkpoints.MANIFEST}")))):
        folder = path / f"fold-{number}"
        data.transforms = relearned(fresh, checkpoints.load_transforms(folder))
        manifest = checkpoints.read_manifest(folder)
        objective = checkpoints.load(checkpoints.built(manifest["objective"]), folder)
        if not tables:
            _tell_other_channels(data, manifest.get("ch_names"))
        found = table(folder, objective, data, data.windows, Training(**recipe["trainer"]))
        tables.append(found.assign(fold=number))
    stem = f"{Path(PREDICTIONS).stem}-{Path(store).name}"
    return save(pd.concat(tables, ignore_index=True), RunFolder(out or path), stem)


def _tell_other_channels(data: Data, trained: Sequence[str] | None) -> None:
    """Says where as many channels are others than those of training: nothing else would notice."""
    if trained is None:
        return
    gather, recordings = data.gather(data.windows), np.unique(data.windows.recording).tolist()
    others = [names for r in recordings if (names := list(gather.infos(r)[-1].ch_names)) != list(trained)]
    if others:
        found, meant = next(pair for pair in zip_longest(others[0], trained) if pair[0] != pair[1])
        print(
            f"{data.store.path}: {len(others)} of {len(recordings)} recordings have other channels than the training part, or "
            f"in another order, the first is {found} where {meant} was: pick them unless they are the same sensors"
        )


def _opened(part: Mapping[str, Any], store: str | Path) -> Data:
    """All windows of another store; with its labels where it has those of the recipe."""
    split = {"class_path": "brainfm.run.whole.Whole", "init_args": {"val": 0.0}}
    init_args = {**part["init_args"], "store": str(store), "split": split}
    try:
        return opened({**part, "init_args": init_args})
    except ValueError as error:
        print(f"{store}: predicted without truth, because: {error}")
        return opened({**part, "init_args": {**init_args, "targets": []}})
