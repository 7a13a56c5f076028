"""Decoding: how well labels or values are read from the signal, beside chance and classical decoders."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from numpy import ndarray
from torch import Tensor

from brainfm.baselines.band_power import BandPower
from brainfm.baselines.base import Baseline, inner_folds
from brainfm.baselines.csp import CSP
from brainfm.baselines.log_variance import LogVariance
from brainfm.baselines.majority import Majority
from brainfm.baselines.mean import Mean
from brainfm.baselines.ridge import Ridge
from brainfm.baselines.riemann import TangentSpace
from brainfm.baselines.time_samples import TimeSamples
from brainfm.evaluators.base import Evaluator, Gathered, Labels, Outputs, gather
from brainfm.statistics import scored
from brainfm.statistics.metrics import ClassTally, ValueTally, mean
from brainfm.statistics.predictions import WINDOW_COLUMNS, Predicted, from_table, to_table
from brainfm.statistics.summary import Draws, chosen, summarise
from brainfm.statistics.units import Groups, groups, number
from data_loaders.contracts import SCORE_COLUMNS, Batch, Scores

METRICS = (*ClassTally.metrics, *ValueTally.metrics)


class Decoding(Evaluator):
    """Metrics per subject and fold for the trained model and every baseline that suits the data.

    `metrics` (default: all that suit the target) names accuracy, balanced_accuracy, macro_f1, auroc, cohen_kappa, r2,
    pearson_r; the first leads the report. Baselines are fitted on at most `max_windows` windows of the training part,
    and choose there what they have to choose. `Scores.baseline` is the linear baseline that does best on the fold's
    test part: chosen in hindsight, which favours the baseline, never the model.
    """

    def __init__(
        self,
        metrics: list[str] | None = None,
        baselines: list[Baseline] | None = None,
        n_permutations: int = 1000,
        n_bootstraps: int = 2000,
        max_windows: int = 30_000,
    ) -> None:
        unknown = [metric for metric in metrics or [] if metric not in METRICS]
        if unknown:
            raise ValueError(f"unknown metric {unknown[0]!r}: name some of {', '.join(METRICS)}")
        self.metrics, self.baselines, self.max_windows = metrics, baselines, max_windows
        self.n_permutations, self.n_bootstraps = n_permutations, n_bootstraps

    def begin(self, model: str, targets: Sequence[Labels], facts: Mapping[str, Any]) -> None:
        self._model, self._targets, self._facts = model, {target.name: target for target in targets}, facts
        self._test = Outputs()
        self._fitted: dict[str, list[Baseline]] = {}
        self._beside = Outputs()
        self._known = Outputs()
        self._others: dict[tuple[str, str], ndarray] = {}

    def beside(self, others: Mapping[str, dict[str, Tensor]], batch: Batch) -> None:
        named = {(model, name): output for model, of in others.items() for name, output in of.items()}
        self._others = {key: output.float().cpu().numpy() for key, output in named.items()}

    def update(self, prediction: dict[str, Tensor], batch: Batch) -> None:
        unknown = sorted(set(prediction) - set(batch.targets))
        if unknown:
            raise ValueError(
                f"the model predicts {unknown[0]!r}, batches have {sorted(batch.targets)}: add it to data.targets"
            )
        self._test.add(batch, self._ours(prediction) | self._others)
        self._others = {}

    def fit_baselines(self, train: Iterable[Batch], test: Iterable[Batch]) -> None:
        wanted = {name: self._suited(name) for name in self._test.targets()}
        if not any(wanted.values()):
            return
        if not self._facts.get("same_channels", True):
            print(
                "baselines: left out, recordings differ in channels and no classical decoder takes several sets of them"
            )
            return
        known = gather(train, self.max_windows)
        masked = known.masked or self._test.masked
        if known.padded or self._test.padded or (masked and not self._facts.get("same_channels", False)):
            print("baselines: left out, recordings differ in channels or length and no classical decoder takes both")
            return
        if masked:
            print("baselines: a bad channel is zero where it is bad, for them as for the model")
        for name, baselines in wanted.items():
            if len(np.unique(known.targets[name], axis=0)) < 2:
                print(f"baselines: left out for {name}, the training part holds a single label or value of it")
                continue
            self._fitted[name] = [self._fit(baseline, name, known) for baseline in baselines]
        for batch in test:
            self._beside.add(batch, self._outputs(_signal(batch)))

    def update_train(self, prediction: dict[str, Tensor], batch: Batch) -> None:
        beside = self._outputs(_signal(batch)) if self._fitted else {}
        self._known.add(batch, self._ours(prediction) | beside)

    def compute(self, table: pd.DataFrame) -> Scores:
        self._predictions = pd.concat([to_table(p) for p in self._predicted(table)], ignore_index=True)
        rows = pd.concat([self._rows(predicted) for predicted in from_table(self._predictions)], ignore_index=True)
        _tell_undefined(rows)
        return Scores.of(rows)

    @property
    def predictions(self) -> pd.DataFrame:
        return self._predictions.set_index("window_id")

    def summarise(self, predictions: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
        draws = Draws(self.n_permutations, self.n_bootstraps, against=str(rows["model"].iloc[0]))
        how = rows.groupby(["model", "target"], sort=False)["chosen"].agg(_together).reset_index()
        return summarise(predictions, self.metrics, draws, rows).merge(how, on=["model", "target"], how="left")

    def _ours(self, prediction: dict[str, Tensor]) -> dict[tuple[str, str], ndarray]:
        return {(self._model, name): output.float().cpu().numpy() for name, output in prediction.items()}

    def _suited(self, target: str) -> list[Baseline]:
        """The baselines for a target; what is left out is printed with the reason."""
        if "n_chans" not in self._facts:
            print("baselines: left out, batches carry no signal")
            return []
        kind = "classes" if self._targets[target].classes else "values"
        suited = []
        for baseline in _defaults() if self.baselines is None else self.baselines:
            if baseline.handles != kind:
                continue
            reason = baseline.suits(self._facts)
            suited += [baseline] if reason is None else []
            if reason is not None:
                print(f"baselines: {baseline.name} left out: {reason}")
        return suited

    def _fit(self, baseline: Baseline, target: str, known: Gathered) -> Baseline:
        """A fitted copy; its inner folds hold out what the test part has new."""
        y, test = known.targets[target], self._test
        unseen = None
        if not np.isin(test.ids("subject"), known.subject).any():
            unseen = known.subject
        elif not np.isin(test.ids("session"), known.session).any():
            unseen = known.session
        classes = self._targets[target].classes
        folds = inner_folds(known.session, unseen, y if classes else None, 5 if classes else 3)
        facts = {**self._facts, "n_outputs": len(classes) or y.reshape(len(y), -1).shape[1]}
        return copy.deepcopy(baseline).fit(known.signal, y if classes else y.reshape(len(y), -1), folds, facts)

    def _outputs(self, signal: ndarray) -> dict[tuple[str, str], ndarray]:
        fitted = [(name, baseline) for name, baselines in self._fitted.items() for baseline in baselines]
        return {(baseline.name, name): baseline.predict(signal).astype(np.float32) for name, baseline in fitted}

    def _predicted(self, table: pd.DataFrame) -> list[Predicted]:
        """Everything that was predicted, in the order of the table."""
        windows = table.rename_axis("window_id").reset_index()
        windows = windows.assign(**{name: "" for name in WINDOW_COLUMNS if name not in windows.columns})
        return self._of(windows[list(WINDOW_COLUMNS)], self._test, self._beside)

    def _of(self, windows: pd.DataFrame, *outputs: Outputs) -> list[Predicted]:
        """What was said of these windows, one per target; the truth is that of the first outputs."""
        said = {key: values for part in outputs for key, values in part.values(windows).items()}
        found = []
        for name in outputs[0].targets():
            models = {model: values for (model, target), values in said.items() if target == name}
            classes = self._targets[name].classes
            truth = outputs[0].truth(name, windows)
            truth = truth if classes else truth.reshape(len(truth), -1)
            names = tuple(map(str, classes or self._targets[name].names))
            found.append(Predicted(name, windows, truth, models, names))
        return found

    def _train_scores(self, target: str, by_subject: bool) -> dict[str, dict[str, float]]:
        """Each model's metrics on windows that it was trained on, on the level of the test scores; none where not asked."""
        if target not in self._known.targets():
            return {}
        ids = {"window_id": self._known.ids("window_id"), "subject": self._known.ids("subject")}
        windows = pd.DataFrame(ids).assign(seed=0)
        found = next(p for p in self._of(windows, self._known) if p.target == target)
        codes = number(windows, ["subject"] if by_subject else ["seed"])
        values = scored.observed(found, Groups("train", codes, np.unique(codes), by_subject))
        return {model: {metric: float(mean(score)) for metric, score in of.items()} for model, of in values.items()}

    def _rows(self, predicted: Predicted) -> pd.DataFrame:
        """The score rows of one fold and target."""
        grouping = groups(predicted)
        values = scored.observed(predicted, grouping)
        null, _ = scored.by_chance(predicted, grouping, self.n_permutations, seed=0)
        about = _about(predicted, grouping.members(), grouping.by_subject)
        beside = {b.name: b for b in self._fitted.get(predicted.target, [])}
        train = self._train_scores(predicted.target, grouping.by_subject)
        rows = []
        for model, metric in product(values, chosen(predicted, self.metrics)):
            score = {"value": values[model][metric], "chance": mean(null[model][metric], axis=0), "ceiling": np.nan}
            score["baseline"] = _best_linear(values, metric, [name for name, b in beside.items() if b.linear])
            score["train"] = train.get(model, {}).get(metric, np.nan)
            how = beside[model].chosen if model in beside else ""
            rows.append(about.assign(model=model, target=predicted.target, metric=metric, chosen=how, **score))
        return pd.concat(rows, ignore_index=True)[[*SCORE_COLUMNS, "train", "chosen"]]


def _defaults() -> list[Baseline]:
    return [Majority(), LogVariance(), CSP(), TangentSpace(), BandPower(), TimeSamples(), Mean(), Ridge()]


def _best_linear(values: scored.PerGroup, metric: str, linear: list[str]) -> ndarray | float:
    """The scores of the linear baseline with the highest mean; NaN where there is none."""
    known = {name: values[name][metric] for name in linear if not np.isnan(values[name][metric]).all()}
    return max(known.values(), key=np.nanmean) if known else np.nan


def _about(predicted: Predicted, members: list[ndarray], by_subject: bool) -> pd.DataFrame:
    """Whose score it is: subject (`all` where subjects have no score of their own), fold, seed and number of windows."""
    first = [int(np.flatnonzero(member)[0]) for member in members]
    about = predicted.windows.iloc[first][["subject", "fold", "seed"]].reset_index(drop=True)
    about["subject"] = (
        about["subject"].astype(str) if by_subject or predicted.windows["subject"].nunique() == 1 else "all"
    )
    return about.assign(n_samples=[int(member.sum()) for member in members])


def _tell_undefined(rows: pd.DataFrame) -> None:
    """Prints which scores are NaN, and why."""
    for (target, model), of_model in rows[rows["value"].isna()].groupby(["target", "model"], sort=False):
        metrics, subjects = ", ".join(of_model["metric"].unique()), ", ".join(map(str, of_model["subject"].unique()))
        print(
            f"{model}, {target}: {metrics} undefined for subject {subjects} in fold {of_model['fold'].iloc[0]} "
            f"(one class or constant values in the truth, or constant predictions); left out of the means"
        )


def _together(chosen: pd.Series) -> str:
    """What was chosen in the folds; where they differ, each choice once."""
    distinct = list(dict.fromkeys(text for text in chosen if text))
    return " | ".join(distinct)


def _signal(batch: Batch) -> ndarray:
    assert batch.signal is not None, "the facts promise a signal"
    return batch.signal.float().cpu().numpy()
