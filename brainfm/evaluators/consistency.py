"""Consistency: how alike the embeddings of several sessions or animals are where a label is the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy import ndarray
from scipy import stats
from torch import Tensor

from brainfm.evaluators.base import Evaluator, Labels
from brainfm.statistics.consistency import between_datasets
from data_loaders.contracts import SCORE_COLUMNS, Batch, Scores


class Consistency(Evaluator):
    """R2 of a linear map between each two sessions' embeddings of the test part, averaged in `n_bins` bins of a label.

    `label` names the target and `dim` its dimension. `r2` is cross-validated over blocks of time, `r2_in_sample` as
    published. Beside it stands the control where there is one. For runs of one session see
    `brainfm.statistics.consistency.between_runs`.
    """

    def __init__(self, label: str, dim: int = 0, n_bins: int = 20) -> None:
        self.label, self.dim, self.n_bins = label, dim, n_bins

    def begin(self, model: str, targets: Sequence[Labels], facts: Mapping[str, Any]) -> None:
        self._model = model
        self._seen: dict[str, list[tuple[ndarray, ndarray, ndarray]]] = {}
        if self.label not in {target.name for target in targets}:
            raise ValueError(f"Consistency is asked for label {self.label!r}: add it to data.targets")

    def update(self, prediction: dict[str, Tensor], batch: Batch) -> None:
        """Points are compared, not predictions."""

    def embedded(self, source: str, points: ndarray, batch: Batch) -> None:
        label = batch.targets[self.label].cpu().numpy().reshape(len(batch), -1)[:, self.dim].astype(float)
        self._seen.setdefault(source or self._model, []).append((points, label, batch.session_id.cpu().numpy()))

    def fit_baselines(self, train: Iterable[Batch], test: Iterable[Batch]) -> None:
        """The control is the baseline."""

    def compute(self, table: pd.DataFrame) -> Scores:
        about = {"target": self._target, "subject": "all", "fold": table["fold"].iloc[0], "seed": table["seed"].iloc[0]}
        rows = []
        for model, parts in self._seen.items():
            points, label, session = (np.concatenate(of) for of in zip(*parts, strict=True))
            for metric, in_sample in (("r2", False), ("r2_in_sample", True)):
                value = self._between(points, label, session, in_sample)
                rows.append({**about, "model": model, "metric": metric, "value": value})
        filled = pd.DataFrame(rows).assign(chance=0.0, baseline=np.nan, ceiling=1.0, n_samples=len(table), chosen="")
        return Scores(filled[[*SCORE_COLUMNS, "chosen"]], filled[["model", "target", "metric", "value", "n_samples"]])

    @property
    def predictions(self) -> pd.DataFrame:
        return pd.DataFrame({"window_id": [], "model": [], "target": []}).set_index("window_id")

    def summarise(self, predictions: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
        mine = rows[rows["target"] == self._target]
        return pd.DataFrame(
            [_line(str(key[0]), str(key[1]), of) for key, of in mine.groupby(["model", "metric"], sort=False)]
        )

    @property
    def _target(self) -> str:
        return f"consistency over {self.label}"

    def _between(self, points: ndarray, label: ndarray, session: ndarray, in_sample: bool) -> float:
        known = np.unique(session)
        if len(known) < 2:
            raise ValueError("Consistency compares sessions, and the test part has one: leave the evaluator out")
        of = [session == one for one in known]
        found = between_datasets([points[m] for m in of], [label[m] for m in of], in_sample, self.n_bins)
        return float(np.nanmean(found))


def _line(model: str, metric: str, of: pd.DataFrame) -> dict[str, Any]:
    """One row of the summary: the mean over folds, with a t interval over them."""
    values = of["value"].to_numpy(dtype=float)
    half = float(stats.t.ppf(0.975, len(values) - 1) * stats.sem(values)) if len(values) > 1 else np.nan
    value = float(values.mean())
    return {
        "model": model, "target": str(of["target"].iloc[0]), "metric": metric, "value": value,
        "low": value - half, "high": value + half, "chance": 0.0, "chance_high": np.nan, "p": np.nan,
        "n_subjects": 1, "n_samples": int(of["n_samples"].sum()), "level": "pair of sessions",
        "interval": f"t interval over {len(values)} folds" if len(values) > 1 else "", "null": "no common geometry",
        "difference": np.nan, "effect": np.nan, "p_wilcoxon": np.nan, "p_sign_flip": np.nan, "paired": "", "chosen": "",
    }  # fmt: skip
