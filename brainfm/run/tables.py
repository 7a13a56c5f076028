"""What a trained model says of windows, as a table keyed by recording and time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy import ndarray

from brainfm import checkpoints
from brainfm.evaluators.encoding import channel_names
from brainfm.objectives.base import Objective
from brainfm.run.folder import RunFolder
from brainfm.run.passing import in_order, predicted
from brainfm.run.train import device_of
from brainfm.systems.training import Training
from data_loaders.datamodule import Data
from data_loaders.windows import Windows


def table(folder: Path, objective: Objective, data: Data, windows: Windows, training: Training) -> pd.DataFrame:
    """One row per window, from the model whose checkpoint is `folder`; truth where the data know it.

    Where the signal itself is predicted, it is the truth, and both have a column per channel.
    """
    outputs, truths = [], []
    for prediction, batch in predicted(objective, in_order(data, windows, data.transforms), device_of(training)):
        name, values = next(iter(prediction.items()))
        outputs.append(values)
        if name == "signal" and batch.signal is not None:
            # copied: batches use their memory again
            truths.append(torch.flatten(batch.signal, 1).float().cpu().clone())
    said = torch.cat(outputs).numpy()
    if truths:
        return _of_signal(data, windows, said, torch.cat(truths).numpy())
    target = checkpoints.read_manifest(folder)["targets"][0]
    kind, names = ("p", target["classes"]) if target["classes"] else ("value", target["names"])
    columns = {f"{kind}_{name}": said[:, i] for i, name in enumerate(names)}
    return _rows(data, windows, target["name"]).assign(**columns)


def _of_signal(data: Data, windows: Windows, said: ndarray, truth: ndarray) -> pd.DataFrame:
    names = channel_names(data.facts())
    parts = [
        pd.DataFrame(values, columns=pd.Index([f"{kind}_{name}" for name in names]))
        for kind, values in (("truth", truth), ("value", said))
    ]
    return pd.concat([_rows(data, windows, ""), *parts], axis=1)


def save(found: pd.DataFrame, out: RunFolder, stem: str) -> pd.DataFrame:
    """Writes the table twice, as parquet and csv."""
    out.save_table(f"{stem}.parquet", found)
    print(f"predictions: {len(found):,} rows in {out.save_table(f'{stem}.csv', found)} and .parquet")
    return found


def checked(fold: int | None, n_folds: int) -> list[int]:
    """The folds that are asked for. Raises ValueError where there is none of that number."""
    if fold is not None and not 0 <= fold < n_folds:
        raise ValueError(f"fold is {fold}, the run has {n_folds}: name one from 0 to {n_folds - 1}")
    return list(range(n_folds)) if fold is None else [fold]


def _rows(data: Data, windows: Windows, target: str) -> pd.DataFrame:
    """Which window each row is, and its truth where that is known."""
    index = np.arange(len(windows))
    run, anchor = windows.locate(index)
    about = windows.metadata.iloc[run].reset_index(drop=True)
    kept = {
        "window_id": windows.ids(index), "fold": 0, "recording_name": about["recording_name"], "subject": about["subject"],
        "onset_s": anchor / about["sfreq"].to_numpy(dtype=float),
    }  # fmt: skip
    return pd.DataFrame({**kept, **_truth(data, windows, index, target)})


def _truth(data: Data, windows: Windows, index: np.ndarray, target: str) -> dict[str, Any]:
    known = next((t for t in data.targets if t.name == target), None)
    if known is None:
        return {}
    values = known.read(windows, index).numpy()
    if known.classes:
        return {"truth": np.array(known.classes, dtype=object)[values]}
    return {f"truth_{name}": values[:, i] for i, name in enumerate(known.names)}
