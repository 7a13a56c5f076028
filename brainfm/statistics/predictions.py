"""Predictions of several models for the same windows: the long table on disk, and its arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy import ndarray

from brainfm.statistics.metrics import ClassTally, Tally, ValueTally

WINDOW_COLUMNS = ("window_id", "fold", "seed", "subject", "session", "run", "recording_name", "segment", "onset_s")
_KEY = ["seed", "fold", "window_id"]


@dataclass(frozen=True)
class Predicted:
    """What models said of one target, on the same windows in the same order: by recording, then time.

    `truth` is a class index `[sample]` or values `[sample, dim]`; each model has probabilities or values
    `[sample, output]`, whose columns are `outputs`. `windows` has WINDOW_COLUMNS.
    """

    target: str
    windows: pd.DataFrame
    truth: ndarray
    models: dict[str, ndarray]
    outputs: tuple[str, ...]

    @property
    def tally(self) -> Tally:
        """The metrics that suit this target."""
        return ClassTally(len(self.outputs)) if self.truth.ndim == 1 else ValueTally(len(self.outputs))

    @property
    def codes(self) -> ndarray:
        """The truth as one integer per distinct label or row of values."""
        return self.truth if self.truth.ndim == 1 else np.unique(self.truth, axis=0, return_inverse=True)[1].ravel()


def to_table(predicted: Predicted) -> pd.DataFrame:
    """The long table: one row per window and model; `truth` and `p_<class>`, or `truth_<dim>` and `value_<dim>`."""
    classes = predicted.truth.ndim == 1
    if classes:
        truth = {"truth": np.array(predicted.outputs, dtype=object)[predicted.truth]}
    else:
        truth = {f"truth_{name}": predicted.truth[:, i] for i, name in enumerate(predicted.outputs)}
    columns = [f"{'p' if classes else 'value'}_{name}" for name in predicted.outputs]
    parts = [
        predicted.windows.assign(
            model=model, target=predicted.target, **truth, **dict(zip(columns, values.T, strict=True))
        )
        for model, values in predicted.models.items()
    ]
    return pd.concat(parts, ignore_index=True)


def from_table(table: pd.DataFrame) -> list[Predicted]:
    """The arrays behind a long table, one per target; models that lack windows (a fold left out) stand apart."""
    rows = table.reset_index() if "window_id" not in table.columns else table
    rows = rows.assign(**{name: "" for name in WINDOW_COLUMNS if name not in rows.columns})
    return [
        part for target, of_target in rows.groupby("target", sort=False) for part in _of_target(str(target), of_target)
    ]


def _of_target(target: str, rows: pd.DataFrame) -> list[Predicted]:
    columns = [c for c in rows.columns if c.startswith(("p_", "value_")) and rows[c].notna().any()]
    outputs = tuple(c.split("_", 1)[1] for c in columns)
    together: dict[bytes, list[tuple[str, pd.DataFrame]]] = {}
    for model, part in rows.groupby("model", sort=False):
        _refuse_duplicates(part, str(model), target)
        part = part.sort_values(["seed", "fold", "recording_name", "onset_s", "window_id"], kind="stable")
        together.setdefault(pd.util.hash_pandas_object(part[_KEY], index=False).to_numpy().tobytes(), []).append(
            (str(model), part)
        )
    return [_predicted(target, parts, columns, outputs) for parts in together.values()]


def _predicted(
    target: str, parts: list[tuple[str, pd.DataFrame]], columns: list[str], outputs: tuple[str, ...]
) -> Predicted:
    windows = parts[0][1]
    if columns[0].startswith("p_"):
        truth = pd.Index(outputs).get_indexer(windows["truth"].astype(str))
        assert (truth >= 0).all(), "every truth is one of the classes that have a probability"
    else:
        truth = windows[[f"truth_{name}" for name in outputs]].to_numpy(dtype=float)
    models = {model: part[columns].to_numpy(dtype=float) for model, part in parts}
    return Predicted(target, windows[list(WINDOW_COLUMNS)].reset_index(drop=True), truth, models, outputs)


def _refuse_duplicates(rows: pd.DataFrame, model: str, target: str) -> None:
    twice = rows.duplicated(_KEY)
    if twice.any():
        row = rows[twice].iloc[0]
        raise ValueError(
            f"window {row['window_id']} of fold {row['fold']} has {model}'s prediction of {target} twice: "
            "let each window appear once in a test part, and update once per batch"
        )
