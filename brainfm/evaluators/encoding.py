"""Encoding: how well the signal is predicted, per voxel, sensor or region, beside controls, chance and a noise ceiling."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy import ndarray
from torch import Tensor

from brainfm.evaluators.base import Evaluator, Labels
from brainfm.linear.grouped import Inner, each_group, fit_standardised, predict_grouped
from brainfm.linear.poisson import ALPHA as POISSON_ALPHA
from brainfm.linear.poisson import fit_poisson
from brainfm.nn.lags import lagged
from brainfm.statistics.channels import METRICS, Ceiling, Series, ceiling_of, channel_table, series, summary, to_rows
from brainfm.statistics.encoding import correlation, partition, r2, signed_square
from brainfm.statistics.metrics import mean
from brainfm.statistics.predictions import WINDOW_COLUMNS
from data_loaders.contracts import SCORE_COLUMNS, Batch, Scores


class Encoding(Evaluator):
    """Correlation, |r| r and R2 of every channel, averaged over channels for the tables; the map of channels is kept.

    `controls` are streams (fields of the data) that explain the signal without the features in question: ridge regression
    from them alone is the linear baseline of every row. `spaces` are sets of streams by name, at most four: all unions are
    fitted, and what is unique to each and shared is in the map as `unique_<space>`. Both use all samples of their fields.
    `glm` are streams from which counts are also predicted by Poisson regression, the field's model of single units.
    `ceiling` comes from `repeats` or `halves` (windows with the same `stimulus`, of one that lasts at the same moment of
    it), or from other `subjects` at the same second of the same run. Chance permutes `block` seconds of the truth at a time,
    so that slow signals gain nothing.
    """

    def __init__(
        self,
        metrics: list[str] | None = None,
        controls: list[str] | None = None,
        spaces: dict[str, list[str]] | None = None,
        glm: list[str] | None = None,
        ceiling: Ceiling | None = None,
        block: float = 20.0,
        n_permutations: int = 1000,
        n_bootstraps: int = 2000,
    ) -> None:
        unknown = [metric for metric in metrics or [] if metric not in METRICS]
        if unknown:
            raise ValueError(f"unknown metric {unknown[0]!r}: name some of {', '.join(METRICS)}")
        if len(spaces or {}) > 4:
            raise ValueError(f"{len(spaces or {})} feature spaces have too many unions to fit: give at most 4")
        self.metrics, self.controls, self.spaces = metrics or list(METRICS), controls or [], spaces or {}
        self.glm = glm or []
        self.ceiling: Ceiling | None = ceiling
        self.block, self.draws = block, (n_permutations, n_bootstraps)
        self._names: tuple[str, ...] = ()

    def begin(self, model: str, targets: Sequence[Labels], facts: Mapping[str, Any]) -> None:
        self._model, self._facts = model, facts
        self._names = channel_names(facts)
        self._ids: list[ndarray] = []
        self._truth: list[ndarray] = []
        self._said: list[ndarray] = []
        self._beside: dict[str, list[ndarray]] = {}

    def update(self, prediction: dict[str, Tensor], batch: Batch) -> None:
        if "signal" not in prediction or batch.signal is None:
            raise ValueError(
                f"the model predicts {sorted(prediction)}, not the signal: take objective Ridge with output: signal"
            )
        self._ids.append(batch.window_id.cpu().numpy())
        self._truth.append(_signal(batch))
        self._said.append(prediction["signal"].float().cpu().numpy())

    def fit_baselines(self, train: Iterable[Batch], test: Iterable[Batch]) -> None:
        unions = _unions(self.controls, self.spaces)
        streams = sorted({stream for union in (*unions.values(), self.glm) for stream in union})
        if not streams:
            return
        known, asked = (self._table(part, streams) for part in (train, test))
        per_subject = set(np.unique(asked["subject"])) <= set(np.unique(known["subject"]))
        for name, union in unions.items():
            self._beside[name] = [self._fitted(union, known, asked, per_subject)]
        if self.glm:
            x, new = (np.concatenate([part[name] for name in self.glm], axis=1) for part in (known, asked))
            self._beside["Poisson GLM"] = [fit_poisson(x, known["truth"]).predict(new)]

    def compute(self, table: pd.DataFrame) -> Scores:
        windows = table.rename_axis("window_id").reset_index()
        windows = windows.assign(**{name: "" for name in WINDOW_COLUMNS if name not in windows.columns})
        kept = [*WINDOW_COLUMNS, *(name for name in ("stimulus", "stimulus_onset") if name in windows.columns)]
        order = _order(np.concatenate(self._ids), windows)
        models = {
            self._model: np.concatenate(self._said),
            **{name: np.concatenate(v) for name, v in self._beside.items()},
        }
        truth = np.concatenate(self._truth)[order]
        known = _measured(truth)
        models = {name: values[order][known] for name, values in models.items()}
        self._predictions = to_rows(windows.loc[known, kept], "signal", self._names, truth[known], models)
        rows = self._rows(list(series(self._predictions, self._names)))
        return Scores.of(rows)

    @property
    def predictions(self) -> pd.DataFrame:
        return self._predictions.set_index("window_id")

    def summarise(self, predictions: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
        own, found = rows[rows["target"] == "signal"], self._series(predictions)
        names = dict.fromkeys(own["model"])
        shown = own[own["model"].isin([name for name in names if "+" not in name or name == "controls"])]
        table = summary(found, shown, self.metrics, str(own["model"].iloc[0]), self._samples(found), self.draws)
        return table.assign(chosen=[self._how(name) for name in table["model"]])

    def maps(self, predictions: pd.DataFrame) -> pd.DataFrame:
        """One row per subject, model and channel over all folds; unique and shared R2 of feature spaces where asked for."""
        found, names = self._series(predictions), _names_of(predictions, self._names)
        table = channel_table(found, names, self.ceiling, self._samples(found), self.draws[0])
        if not self.spaces:
            return table
        parts = [self._parts(one, names) for one in found]
        return table.merge(pd.concat(parts, ignore_index=True), on=["subject", "channel"], how="left")

    def _parts(self, one: Series, names: Sequence[str]) -> pd.DataFrame:
        """Unique and shared parts of R2 for one subject."""
        scores = {
            frozenset(name.split(" + ")): r2(one.truth, said)
            for name, said in one.models.items()
            if set(name.split(" + ")) <= set(self.spaces)
        }
        found = partition(scores)
        columns = {
            ("unique_" if len(part) == 1 else "shared_") + "_".join(sorted(part)): v for part, v in found.items()
        }
        return pd.DataFrame({"subject": one.subject, "channel": list(names), **columns})

    def _series(self, predictions: pd.DataFrame) -> list[Series]:
        own = predictions[predictions["target"] == "signal"]
        return list(series(own, _names_of(own, self._names)))

    def _samples(self, found: Sequence[Series]) -> int:
        """The block in samples, from the distance of neighbouring windows."""
        steps = np.diff(found[0].windows["onset_s"].to_numpy(dtype=float))
        return max(1, round(self.block / float(np.median(steps[steps > 0])))) if (steps > 0).any() else 1

    def _rows(self, found: list[Series]) -> pd.DataFrame:
        """The score rows of one fold: a subject's mean over channels, and the same of the controls and the ceiling."""
        rows = []
        for one, ceiling in zip(found, ceiling_of(found, self.ceiling), strict=True):
            scores = {model: _scores(one.truth, said) for model, said in one.models.items()}
            baseline = scores.get("controls", {})
            about = (one.subject, one.windows["fold"].iloc[0], one.windows["seed"].iloc[0])
            for model, values in scores.items():
                for metric in self.metrics:
                    known = ceiling if metric == "pearson_r" else ceiling**2
                    beside = (0.0, baseline.get(metric, np.nan), float(mean(known)), len(one.truth), self._how(model))
                    rows.append((model, "signal", metric, *about, values[metric], *beside))
        return pd.DataFrame(rows, columns=pd.Index([*SCORE_COLUMNS, "chosen"]))

    def _how(self, model: str) -> str:
        if model == "controls":
            return f"ridge from {', '.join(self.controls)}, alpha per channel on contiguous chunks of the training part"
        if model == "Poisson GLM":
            return f"Poisson regression from {', '.join(self.glm)}, alpha={POISSON_ALPHA:g}"
        if model in _unions([], self.spaces):
            return f"ridge from {model}, alpha per channel on contiguous chunks of the training part"
        return ""

    def _table(self, batches: Iterable[Batch], streams: Sequence[str]) -> dict[str, ndarray]:
        """Lagged streams, truth and ids of a part, in the order of its windows' ids for training and as given for the rest."""
        parts: dict[str, list[ndarray]] = {name: [] for name in (*streams, "truth", "window", "run", "subject")}
        for batch in batches:
            for name in streams:
                parts[name].append(lagged(batch, [name], self._facts["stream_delays"])[0].float().cpu().numpy())
            parts["truth"].append(_signal(batch))
            for name, ids in (("window", batch.window_id), ("run", batch.session_id), ("subject", batch.subject_id)):
                parts[name].append(ids.cpu().numpy())
        return {name: np.concatenate(values) for name, values in parts.items()}

    def _fitted(
        self, streams: Sequence[str], known: dict[str, ndarray], asked: dict[str, ndarray], per_subject: bool
    ) -> ndarray:
        order = np.argsort(known["window"], kind="stable")
        x, new = (np.concatenate([part[name] for name in streams], axis=1) for part in (known, asked))
        group = known["subject"] if per_subject else np.zeros_like(known["subject"])
        fits = {
            one: fit_standardised(x[order][rows], known["truth"][order][rows], known["run"][order][rows], Inner())
            for one, rows in each_group(group[order])
        }
        return predict_grouped(fits, new, asked["subject"] if per_subject else np.zeros_like(asked["subject"]))


def _scores(truth: ndarray, said: ndarray) -> dict[str, float]:
    r = correlation(truth, said)
    found = {"pearson_r": r, "signed_r2": signed_square(r), "r2": r2(truth, said)}
    return {metric: float(mean(values)) for metric, values in found.items()}


def _measured(truth: ndarray) -> ndarray:
    """The samples of which anything was measured, as a mask; says what is left out, and which channels cannot be scored."""
    known = np.asarray(~np.isnan(truth).all(1))
    if not known.any():
        raise ValueError("the signal of the test part is NaN throughout: mend the recording, or leave it out")
    if not known.all():
        print(f"encoding: {(~known).sum():,} of {len(known):,} test samples are NaN in every channel and left out")
    if broken := int(np.isnan(truth[known]).any(0).sum()):
        print(f"encoding: {broken:,} of {truth.shape[1]:,} channels hold NaN in the test part and have no score")
    return known


def _unions(controls: Sequence[str], spaces: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Streams by the name of what is fitted from them: the controls, and every union of spaces."""
    named = [some for size in range(1, len(spaces) + 1) for some in combinations(sorted(spaces), size)]
    unions = {" + ".join(some): [stream for name in some for stream in spaces[name]] for some in named}
    return unions | ({"controls": list(controls)} if controls else {})


def _signal(batch: Batch) -> ndarray:
    assert batch.signal is not None, "the objective has predicted it"
    return torch.flatten(batch.signal, 1).float().cpu().numpy()


def channel_names(facts: Mapping[str, Any]) -> tuple[str, ...]:
    """A name for each output: the channel, and its sample where a window has several."""
    names, n_times = facts["ch_names"], facts.get("n_times", 1)
    return tuple(name if n_times == 1 else f"{name}@{k}" for name in names for k in range(n_times))


def _names_of(predictions: pd.DataFrame, known: Sequence[str]) -> list[str]:
    """The channels in a table of predictions that was read from disk."""
    columns = [str(name).removeprefix("value_") for name in predictions.columns if str(name).startswith("value_")]
    if columns or known:
        return columns or list(known)
    return [str(i) for i in range(len(predictions["values"].iloc[0]))]


def _order(given: ndarray, windows: pd.DataFrame) -> ndarray:
    index = pd.Index(given)
    if index.has_duplicates or not windows["window_id"].isin(index).all():
        raise ValueError("test windows are predicted twice or not at all: update once for each batch of the test part")
    return index.get_indexer(windows["window_id"])
