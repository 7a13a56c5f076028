"""Reconstruction: how well hidden patches are told from visible ones, beside straight lines and the other channels."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor

from brainfm.evaluators.base import Evaluator, Labels
from brainfm.statistics import paired
from brainfm.statistics.bootstrap import draw_weights, expanded_interval
from brainfm.statistics.filling import by_channels, by_lines
from brainfm.statistics.predictions import WINDOW_COLUMNS, Predicted
from brainfm.statistics.units import MIN_SUBJECTS, Clusters, clusters
from data_loaders.contracts import SCORE_COLUMNS, Batch, Scores

_BASELINES: dict[str, Callable[..., ndarray]] = {"Lines in time": by_lines, "Ridge over channels": by_channels}
_SUMS = ("error", "total")


class Reconstruction(Evaluator):
    """R2 on the hidden patches of each study: 1 - squared error / squared distance from the channel's visible mean.

    Chance is always saying that mean, which scores 0. The baselines see what the model sees of a window, its visible
    patches, and learn from them alone: straight lines in time, and a ridge regression on the channels visible at that time.
    `Scores.baseline` is the better of both for the fold. It judges the objective MaskedReconstruction.
    """

    def __init__(self, n_bootstraps: int = 2000) -> None:
        self.n_bootstraps = n_bootstraps

    def begin(self, model: str, targets: Sequence[Labels], facts: Mapping[str, Any]) -> None:
        self._model, self._parts = model, []

    def update(self, prediction: dict[str, Tensor], batch: Batch) -> None:
        missing = sorted({"reconstruction", "truth", "hidden", "visible"} - prediction.keys())
        if missing:
            raise ValueError(
                f"the objective predicts {sorted(prediction)}, and Reconstruction needs {missing}: take MaskedReconstruction"
            )
        made = {name: value.cpu().numpy() for name, value in prediction.items()}
        for row, window in enumerate(batch.window_id.tolist()):
            truth, hidden, visible = made["truth"][row], made["hidden"][row] > 0, made["visible"][row] > 0
            filled = {self._model: made["reconstruction"][row]}
            filled |= {name: fill(truth * visible[..., None], visible) for name, fill in _BASELINES.items()}
            sums = {model: _sums(values, truth, hidden) for model, values in filled.items()}
            self._parts += [{"window_id": window, "model": model, **of} for model, of in sums.items()]

    def fit_baselines(self, train: Iterable[Batch], test: Iterable[Batch]) -> None:
        """Nothing to fit: baselines learn from the visible part of each window."""

    def compute(self, table: pd.DataFrame) -> Scores:
        windows = table.rename_axis("window_id").reset_index()
        windows = windows.assign(**{name: "" for name in WINDOW_COLUMNS if name not in windows.columns})
        seen = pd.DataFrame(self._parts)
        wrong = set(windows["window_id"]) ^ set(seen["window_id"]), seen.duplicated(["window_id", "model"]).any()
        if any(wrong):
            raise ValueError(f"{len(wrong[0])} test windows are not reconstructed, or not in the table, or twice: "
                             "give update each batch of the test part once, and compute the table of the same part")  # fmt: skip
        about = windows[[*WINDOW_COLUMNS, "study"]].rename(columns={"study": "target"})
        self._table = about.merge(seen, on="window_id").query("n_hidden > 0").reset_index(drop=True)
        rows = _rows(self._table, self._model)
        return Scores.of(rows)

    @property
    def predictions(self) -> pd.DataFrame:
        """One row per test window and model: squared `error` and `total` over `n_hidden` patches; the target is the study."""
        return self._table.set_index("window_id")

    def summarise(self, predictions: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
        model = str(rows["model"].iloc[0])
        tables = predictions.reset_index().groupby("target", sort=False)
        return pd.DataFrame([row for target, of in tables for row in self._summary(str(target), of, model)])

    def _summary(self, target: str, table: pd.DataFrame, ours: str) -> list[dict[str, Any]]:
        windows = table[table["model"] == ours].sort_values(["subject", "fold", "recording_name", "onset_s"])
        cluster = clusters(
            Predicted(target, windows[list(WINDOW_COLUMNS)].reset_index(drop=True), np.zeros((len(windows), 1)), {}, ())
        )
        rng = np.random.default_rng(0)
        weights = draw_weights(cluster.strata, self.n_bootstraps, rng)
        sums = {m: of.set_index(["fold", "window_id"]).loc[pd.MultiIndex.from_frame(windows[["fold", "window_id"]])]
                for m, of in table.groupby("model", sort=False)}  # fmt: skip
        subject = windows["subject"].to_numpy()
        each = {m: _per_subject(of, subject) for m, of in sums.items()}
        return [
            {
                "model": m, "target": target, "metric": "r2", "value": float(np.mean(each[m])),
                **_interval(of, subject, cluster, weights, each[m]), "chance": 0.0, "chance_high": np.nan, "p": np.nan,
                "n_subjects": len(each[m]), "n_samples": len(of), "level": "subject",
                "interval": f"expanded percentile bootstrap over {cluster.name} ({self.n_bootstraps} resamples)",
                "null": "the mean of a channel's visible patches", **_lead(each[ours], each[m], m == ours), "chosen": "",
            }
            for m, of in sums.items()
        ]  # fmt: skip


def _sums(values: ndarray, truth: ndarray, hidden: ndarray) -> dict[str, float]:
    """Squared error and squared distance from the visible mean, which is zero, over the hidden patches."""
    error, total = (values - truth)[hidden], truth[hidden]
    return {
        "error": float(np.square(error).sum()),
        "total": float(np.square(total).sum()),
        "n_hidden": int(hidden.sum()),
    }


def _rows(table: pd.DataFrame, ours: str) -> pd.DataFrame:
    """R2 of each model, study, subject and fold."""
    keys = ["model", "target", "subject", "fold", "seed"]
    grouped = table.groupby(keys, sort=False)
    summed = grouped[list(_SUMS)].sum().assign(n_samples=grouped.size()).reset_index()
    rows = summed.assign(
        value=1 - summed["error"] / summed["total"], metric="r2", chance=0.0, ceiling=np.nan, chosen=""
    )
    others = rows[rows["model"] != ours].groupby(["target", "model"])["value"].mean()
    best = {target: str(of.idxmax()[1]) for target, of in others.groupby("target")}
    chosen = rows[rows["model"] == rows["target"].map(best)].set_index(keys[1:])["value"].rename("baseline")
    rows = rows.join(chosen, on=keys[1:])
    return rows[[*SCORE_COLUMNS, "chosen"]]


def _per_subject(sums: pd.DataFrame, subject: ndarray) -> Float[ndarray, "subject"]:
    of = sums[list(_SUMS)].groupby(subject, sort=True).sum()
    return (1 - of["error"] / of["total"]).to_numpy()


def _interval(
    sums: pd.DataFrame, subject: ndarray, cluster: Clusters, weights: Float[ndarray, "resample cluster"], each: ndarray
) -> dict[str, float]:
    """95 % of the mean over subjects of their R2, when clusters are drawn anew."""
    if cluster.are_subjects:
        drawn = weights @ each / weights.sum(1)
    else:
        by = weights[:, cluster.codes]  # [resample, window]
        error, total = (np.stack([by[:, subject == s] @ sums[name].to_numpy()[subject == s] for s in np.unique(subject)])
                        for name in _SUMS)  # fmt: skip
        drawn = np.mean(1 - error / np.maximum(total, 1e-30), axis=0)
    low, high = expanded_interval(drawn, float(each.mean()), cluster.strata)
    return {"low": low, "high": min(high, 1.0)}


def _lead(ours: ndarray, other: ndarray, same: bool) -> dict[str, Any]:
    """By how much the trained model leads, paired over subjects."""
    if same:
        return {"difference": np.nan, "effect": np.nan, "p_wilcoxon": np.nan, "p_sign_flip": np.nan, "paired": ""}
    lead, many = ours - other, len(ours) >= MIN_SUBJECTS
    tests = {
        "effect": paired.effect_size(lead),
        "p_wilcoxon": paired.wilcoxon(lead),
        "p_sign_flip": paired.sign_flip(lead),
    }
    few = "" if many else " (too few to test: an indication)"
    return {"difference": float(lead.mean()), **tests, "paired": f"{len(ours)} subjects{few}"}
