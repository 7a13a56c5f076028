"""Goodness of fit: how many bits a contrastive embedding says about the test part, beside the shuffle control."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from torch import Tensor

from brainfm.evaluators.base import Evaluator, Labels
from brainfm.statistics.folds import over_folds
from data_loaders.contracts import SCORE_COLUMNS, Batch, Scores

TARGET = "held-out draws"


class GoodnessOfFit(Evaluator):
    """`bits` (log2 of the batch size, less the loss in bits: 0 at chance) and `infonce` on draws from the test part.

    The same is measured of a model that is trained on shuffled windows (`shuffle control`), which takes as long again;
    `shuffle_control` False leaves it out. Reference: Schneider, Lee and Mathis 2023; the measure is that of cebra 0.4.
    """

    def __init__(self, shuffle_control: bool = True) -> None:
        self.shuffle_control = shuffle_control

    def begin(self, model: str, targets: Sequence[Labels], facts: Mapping[str, Any]) -> None:
        self._model = model
        self._losses: dict[str, list[dict[str, float]]] = {}

    def update(self, prediction: dict[str, Tensor], batch: Batch) -> None:
        """Draws are measured, not single windows."""

    def measure(self, source: str, losses: Mapping[str, float]) -> None:
        self._losses.setdefault(source or self._model, []).append(dict(losses))

    def fit_baselines(self, train: Iterable[Batch], test: Iterable[Batch]) -> None:
        """The control is the baseline."""

    def compute(self, table: pd.DataFrame) -> Scores:
        about = {"target": TARGET, "subject": "all", "fold": table["fold"].iloc[0], "seed": table["seed"].iloc[0]}
        rows = []
        for model, losses in self._losses.items():
            found = pd.DataFrame(losses).mean()
            infonce = found["align"] + found["uniform"]
            # bits count down from what a collapsed embedding would cost
            collapsed = infonce + found["bits"] * np.log(2)
            for metric, value, chance in (("bits", found["bits"], 0.0), ("infonce", infonce, collapsed)):
                rows.append({**about, "model": model, "metric": metric, "value": value, "chance": chance})
        filled = pd.DataFrame(rows).assign(baseline=np.nan, ceiling=np.nan, n_samples=len(table), chosen="")
        summary = filled[["model", "target", "metric", "value", "n_samples"]]
        return Scores(filled[[*SCORE_COLUMNS, "chosen"]], summary)

    @property
    def predictions(self) -> pd.DataFrame:
        return pd.DataFrame({"window_id": [], "model": [], "target": []}).set_index("window_id")

    def summarise(self, predictions: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
        mine = rows[rows["target"] == TARGET]
        return over_folds(mine, "draw from a fold's test part", "a collapsed embedding")
