"""A run folder, read: what was asked, on which data, and what every fold left behind."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from jaxtyping import Int
from numpy import ndarray

from brainfm.run.folder import CHANNELS, HISTORY, PREDICTIONS, RECIPE, SCORES, SUMMARY
from brainfm.statistics.summary import Draws, summarise


@dataclass(frozen=True)
class FoldFolder:
    """One fold that was scored. What a run did not write is empty: a closed-form fit has no history."""

    path: Path

    @property
    def number(self) -> int:
        return int(self.path.name.removeprefix("fold-"))

    @cached_property
    def history(self) -> pd.DataFrame:
        """Losses and metrics by step, as they were logged."""
        path = self.path / HISTORY
        return pd.read_csv(path) if path.exists() else pd.DataFrame()

    @cached_property
    def predictions(self) -> pd.DataFrame:
        """One row per test window and model, indexed by window_id."""
        path = self.path / PREDICTIONS
        return pd.read_parquet(path) if path.exists() else pd.DataFrame()

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """What the fold's model was trained on."""
        return _json(self.path / "manifest.json")


class Results:
    """What `brainfm fit` wrote under one path, for reading only."""

    def __init__(self, path: Path) -> None:
        if not (path / RECIPE).exists():
            raise ValueError(f"{path} is no run folder, it has no {RECIPE}: name a folder that `brainfm fit` wrote")
        self.path = path
        self.folds = [FoldFolder(p) for p in sorted(path.glob("fold-*"), key=_number) if (p / SCORES).exists()]
        if not self.folds:
            raise ValueError(
                f"{path} has no scored fold yet: run `brainfm fit` on it again, it continues where it stopped"
            )

    @cached_property
    def recipe_text(self) -> str:
        return (self.path / RECIPE).read_text(encoding="utf-8")

    @cached_property
    def recipe(self) -> dict[str, Any]:
        return yaml.safe_load(self.recipe_text)

    @cached_property
    def provenance(self) -> dict[str, Any]:
        return _json(self.path / "provenance.json")

    @cached_property
    def rows(self) -> pd.DataFrame:
        """The scores of all folds, one row per model, target, metric, subject, fold and seed."""
        return pd.concat([pd.read_parquet(fold.path / SCORES) for fold in self.folds], ignore_index=True)

    @cached_property
    def summary(self) -> pd.DataFrame:
        """One row per model, target and metric, with its interval; of the folds so far where the run has not ended."""
        if self.rows.empty:
            raise ValueError(
                f"{self.path} scores nothing: add `evaluators` to its recipe and fit under another name (--out)"
            )
        if self.finished:
            return pd.read_csv(self.path / SUMMARY)
        model = self.recipe.get("encoder", {}).get("class_path", "").rpartition(".")[2] or None
        predictions = pd.concat([fold.predictions for fold in self.folds])
        return summarise(predictions, draws=Draws(against=model), rows=self.rows)

    @cached_property
    def channels(self) -> pd.DataFrame:
        """Scores per subject, model and channel over all folds; empty where no evaluator made them."""
        path = self.path / CHANNELS
        return pd.read_csv(path, dtype={"subject": str, "channel": str}) if path.exists() else pd.DataFrame()

    @property
    def finished(self) -> bool:
        """True where every fold was scored: the summary is written last."""
        return (self.path / SUMMARY).exists()

    def predictions(self, model: str, target: str) -> pd.DataFrame:
        """All test windows of one model and target, over the folds; columns that only other targets use are left out."""
        chosen = [_of(fold.predictions, model, target).assign(fold=fold.number) for fold in self.folds]
        filled = [part for part in chosen if len(part)]
        return pd.concat(filled).dropna(axis=1, how="all") if filled else pd.DataFrame()

    def init_args(self, *keys: str) -> dict[str, Any]:
        """The `init_args` of a part of the recipe: `init_args("data", "windows")`."""
        node: Any = self.recipe
        for key in keys:
            inside = node.get("init_args", {}) if "class_path" in node else node
            node = inside.get(key) or {}
        return node.get("init_args", {}) if isinstance(node, dict) else {}


def window_ids(predictions: pd.DataFrame) -> Int[ndarray, "window"]:
    """The window of each row, whether it is the index or a column."""
    return predictions.get("window_id", predictions.index).to_numpy(dtype=np.int64)


def class_order(predictions: pd.DataFrame) -> list[str]:
    """The classes, in the order of their probability columns; empty for regression."""
    return [column.removeprefix("p_") for column in predictions.columns if column.startswith("p_")]


def dimensions(predictions: pd.DataFrame) -> list[str]:
    """The predicted dimensions of a regression; empty for classification."""
    return [column.removeprefix("value_") for column in predictions.columns if column.startswith("value_")]


def _of(predictions: pd.DataFrame, model: str, target: str) -> pd.DataFrame:
    if predictions.empty:
        return predictions
    return predictions[(predictions["model"] == model) & (predictions["target"] == target)]


def _number(path: Path) -> int:
    tail = path.name.removeprefix("fold-")
    return int(tail) if tail.isdigit() else -1


def _json(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
