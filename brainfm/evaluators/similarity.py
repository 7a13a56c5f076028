"""Similarity: whether predicted and measured patterns are alike in geometry: RSA with a noise ceiling, and CKA."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy import ndarray
from torch import Tensor

from brainfm.evaluators.base import Evaluator, Labels
from brainfm.statistics.bootstrap import expanded_interval
from brainfm.statistics.permutation import p_value
from brainfm.statistics.similarity import Comparison, Distance, ceiling, cka, compared, rdms
from data_loaders.contracts import SCORE_COLUMNS, Batch, Scores


class Similarity(Evaluator):
    """`rsa`, the `compare` of the dissimilarities between conditions, and `cka` of the samples, for predicted and measured signals.

    Conditions are the classes of `condition`, a target of the data (the first where left out). The ceiling of `rsa` is
    rsatoolbox's lower bound, from the runs of a subject's test part: what the others' mean tells of each. Chance deals the
    conditions anew. Runs are those of the windows (`segment` where a recording holds several).
    """

    def __init__(
        self,
        condition: str | None = None,
        distance: Distance = "correlation",
        compare: Comparison = "corr",
        n_permutations: int = 200,
    ) -> None:
        self.condition, self.n_permutations = condition, n_permutations
        self.distance: Distance = distance
        self.compare: Comparison = compare

    def begin(self, model: str, targets: Sequence[Labels], facts: Mapping[str, Any]) -> None:
        classes = {target.name: target.classes for target in targets if target.classes}
        name = self.condition or next(iter(classes), "")
        if name not in classes:
            raise ValueError(
                f"the data have no classes {name!r}; they have {sorted(classes)}: add targets: [trial_type], say"
            )
        self._model, self._name, self._classes = model, name, classes[name]
        self._parts: dict[str, list[ndarray]] = {"window": [], "truth": [], "said": [], "condition": []}

    def update(self, prediction: dict[str, Tensor], batch: Batch) -> None:
        assert batch.signal is not None, "the objective has predicted it"
        given = {"truth": torch.flatten(batch.signal, 1), "said": prediction["signal"]}
        given |= {"window": batch.window_id, "condition": batch.targets[self._name]}
        for name, values in given.items():
            self._parts[name].append(values.cpu().numpy())

    def fit_baselines(self, train: Iterable[Batch], test: Iterable[Batch]) -> None:
        """None: what is compared with is chance and the ceiling."""

    def compute(self, table: pd.DataFrame) -> Scores:
        parts = {name: np.concatenate(values) for name, values in self._parts.items()}
        order = pd.Index(parts.pop("window")).get_indexer(table.index)
        if (order < 0).any():
            raise ValueError(f"{(order < 0).sum()} test windows have no prediction: update once for every test batch")
        parts = {name: values[order] for name, values in parts.items()}
        rows = [
            row
            for subject, at in table.groupby("subject").indices.items()
            for row in self._rows(str(subject), table.iloc[at], {k: v[at] for k, v in parts.items()})
        ]
        found = pd.DataFrame(rows, columns=pd.Index([*SCORE_COLUMNS, "p"]))
        return Scores(found, found.groupby(["model", "target", "metric"], sort=False)["value"].mean().reset_index())

    @property
    def predictions(self) -> pd.DataFrame:
        """None of its own: geometry is not a prediction for a window."""
        return pd.DataFrame({name: [] for name in ("model", "target")}, index=pd.Index([], name="window_id"))

    def summarise(self, predictions: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
        own = rows[rows["metric"].isin(["rsa", "cka"])]
        found = own.groupby(["model", "target", "metric"], sort=False)
        return pd.DataFrame([self._summary(str(m), str(t), str(k), part) for (m, t, k), part in found])

    def _rows(self, subject: str, windows: pd.DataFrame, parts: dict[str, ndarray]) -> list[tuple[Any, ...]]:
        conditions = [self._classes[i] for i in parts["condition"]]
        runs = pd.factorize(pd.MultiIndex.from_frame(windows[["recording_name", "segment"]]))[0]
        said, truth = (rdms(parts[name], conditions, self.distance, runs) for name in ("said", "truth"))
        value, null = compared(said, truth, self.compare), self._null(said, truth)
        about = (subject, windows["fold"].iloc[0], windows["seed"].iloc[0])
        low = self._ceiling(parts["truth"], np.asarray(conditions), runs)
        alike = cka(parts["said"], parts["truth"])
        dealt = self._shuffled_cka(parts)
        end = (np.nan, len(windows))
        return [
            (
                self._model,
                "geometry",
                "rsa",
                *about,
                value,
                float(np.mean(null)),
                np.nan,
                low,
                len(windows),
                p_value(value, null),
            ),
            (self._model, "geometry", "cka", *about, alike, float(np.mean(dealt)), np.nan, *end, p_value(alike, dealt)),
        ]

    def _null(self, said: Any, truth: Any) -> ndarray:
        """The similarity after the conditions of one side are dealt anew."""
        rng, n = np.random.default_rng(0), said.n_cond
        square, places = truth.get_matrices()[0], np.triu_indices(n, 1)
        from rsatoolbox.rdm.rdms import RDMs

        orders = [rng.permutation(n) for _ in range(self.n_permutations)]
        return np.array([compared(said, RDMs(square[np.ix_(o, o)][places][None]), self.compare) for o in orders])

    def _shuffled_cka(self, parts: dict[str, ndarray]) -> ndarray:
        rng = np.random.default_rng(0)
        orders = [rng.permutation(len(parts["truth"])) for _ in range(min(self.n_permutations, 100))]
        return np.array([cka(parts["said"], parts["truth"][order]) for order in orders])

    def _ceiling(self, truth: ndarray, conditions: ndarray, runs: ndarray) -> float:
        """From runs that hold every condition; NaN for fewer than two, or cross-validated distances, which one run lacks."""
        whole = [
            run for run in np.unique(runs) if len(np.unique(conditions[runs == run])) == len(np.unique(conditions))
        ]
        if len(whole) < 2 or self.distance == "crossnobis":
            return float("nan")
        return ceiling(
            [rdms(truth[runs == run], list(conditions[runs == run]), self.distance) for run in whole], self.compare
        )[0]

    def _summary(self, model: str, target: str, metric: str, rows: pd.DataFrame) -> dict[str, Any]:
        values = rows["value"].to_numpy(dtype=float)
        rng, n = np.random.default_rng(0), len(values)
        drawn = rng.choice(values, (2000, n)).mean(1)
        low, high = (
            expanded_interval(drawn, float(values.mean()), np.zeros(n, dtype=int)) if n > 2 else (np.nan, np.nan)
        )
        subjects = rows["subject"].nunique()
        return {
            "model": model, "target": target, "metric": metric, "value": float(values.mean()), "low": low, "high": high,
            "chance": rows["chance"].mean(), "chance_high": np.nan, "p": np.nan, "n_subjects": subjects,
            "n_samples": int(rows["n_samples"].sum()),
            "level": "subject and fold", "interval": f"bootstrap over {n} subjects and folds", "null": "conditions dealt anew",
            "difference": np.nan, "effect": np.nan, "p_wilcoxon": np.nan, "p_sign_flip": np.nan, "paired": "", "chosen": "",
        }  # fmt: skip
