"""The table at the top of a report: each model's score with its interval, beside chance and the other models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from numpy import ndarray

from brainfm.statistics import dependence, paired, scored
from brainfm.statistics.bootstrap import draw_weights, expanded_interval
from brainfm.statistics.metrics import mean
from brainfm.statistics.permutation import p_value
from brainfm.statistics.predictions import Predicted, from_table
from brainfm.statistics.units import MIN_SUBJECTS, Clusters, Groups, clusters, groups


@dataclass(frozen=True)
class Draws:
    """How many permutations and resamples, from which seed; `against` is the model that the others are compared with."""

    n_permutations: int = 1000
    n_bootstraps: int = 2000
    seed: int = 0
    against: str | None = None


@dataclass(frozen=True)
class Spread:
    """A metric on resampled clusters, the stratum of each cluster, and the variance that the folds add."""

    resampled: ndarray
    strata: ndarray
    of_folds: float = 0.0


@dataclass(frozen=True)
class Interval:
    """Low and high, and what the variance was multiplied with."""

    low: float
    high: float
    inflation: float


def summarise(
    table: pd.DataFrame,
    metrics: Sequence[str] | None = None,
    draws: Draws | None = None,
    rows: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """One row per model, target and metric, from the predictions of all folds.

    `value` is the mean over subjects of each subject's mean over folds (`level` says on which windows a metric is
    computed). `low` and `high` enclose with 95 % confidence what models trained on as much data of the same kind are
    expected to score on new subjects (or what else was resampled, as `interval` says); they are widened where folds train
    on what others test, by how much of the training score is lost in the test part. For that, `rows` are the score rows of
    the run, with the column `train`; without it nothing is known to carry over, and the interval is as wide as can be.
    `chance` is the mean of the scores on permuted truth, `chance_high` their 95th percentile, `p` one-sided; `null` says
    what was permuted. `difference` is the lead of `draws.against` over the row's model, with two-sided paired tests and an
    effect size in standard deviations; `paired` says over what.
    """
    train = _train_scores(rows)
    parts = [_summary(predicted, metrics, draws or Draws(), train) for predicted in from_table(table)]
    return pd.concat(parts, ignore_index=True)


def _train_scores(rows: pd.DataFrame | None) -> dict[tuple[str, str, str], float]:
    """The mean over folds of what a model scores on windows that it was trained on, by model, target and metric."""
    if rows is None or "train" not in rows.columns:
        return {}
    means: Any = rows.groupby(["model", "target", "metric"])["train"].mean()
    return means.to_dict()


def _summary(
    predicted: Predicted, metrics: Sequence[str] | None, draws: Draws, train: dict[tuple[str, str, str], float]
) -> pd.DataFrame:
    grouping, clustering = groups(predicted), clusters(predicted)
    values = scored.observed(predicted, grouping)
    null, null_name = scored.by_chance(predicted, grouping, draws.n_permutations, draws.seed)
    spread = _spreads(predicted, grouping, clustering, values, draws)
    shared, shared_null = (
        dependence.mutual(predicted.windows, clustering.codes),
        dependence.in_mutual_folds(predicted.windows),
    )
    rows = []
    for model, metric in product(values, chosen(predicted, metrics)):
        per_owner = scored.over_owners(values[model][metric], grouping.owner)
        value, by_chance = float(mean(per_owner)), mean(scored.over_owners(null[model][metric], grouping.owner))
        chance = _chance(value, by_chance, 1 + shared_null)
        known = train.get((model, predicted.target, metric), np.nan)
        interval = _interval(metric, value, spread[model][metric], known, chance["chance"], shared)
        row = {"model": model, "target": predicted.target, "metric": metric, "value": value}
        row |= {"low": interval.low, "high": interval.high, "train": known} | chance
        row |= {"n_subjects": _n_subjects(predicted, grouping, per_owner), "n_samples": len(predicted.windows)}
        how = _how(clustering, draws) + _widened(interval.inflation, known)
        row |= {"level": grouping.level, "interval": how, "null": null_name + _widened(1 + shared_null)}
        rows.append(row | _lead(values, model, metric, grouping, draws.against))
    return pd.DataFrame(rows)


def chosen(predicted: Predicted, metrics: Sequence[str] | None) -> Sequence[str]:
    """The metrics that were asked for and suit the target, in the order asked; all that suit where none were asked."""
    known = predicted.tally.metrics
    return known if metrics is None else [metric for metric in metrics if metric in known]


def _spreads(
    predicted: Predicted, grouping: Groups, clustering: Clusters, values: scored.PerGroup, draws: Draws
) -> dict[str, dict[str, Spread]]:
    """The resampled values of each model and metric."""
    if grouping.by_subject and clustering.are_subjects:
        folds = _fold_of_owners(predicted, grouping)
        per_subject = {m: {k: scored.over_owners(v, grouping.owner) for k, v in of.items()} for m, of in values.items()}
        return {m: {k: _over_subjects(v, folds, draws) for k, v in of.items()} for m, of in per_subject.items()}
    resampled = scored.resampled(predicted, grouping, clustering, draws.n_bootstraps, draws.seed)
    return {m: {k: Spread(v, clustering.strata) for k, v in of.items()} for m, of in resampled.items()}


def _fold_of_owners(predicted: Predicted, grouping: Groups) -> ndarray:
    """The fold that tested each subject; a number of its own for one whom several tested."""
    owner = grouping.owner[np.unique(grouping.codes, return_inverse=True)[1]]
    fold = predicted.windows.groupby(owner)["fold"].agg(["nunique", "first"]).reset_index(drop=True)
    return np.where(fold["nunique"] == 1, fold["first"], -1 - fold.index)


def _over_subjects(per_subject: ndarray, folds: ndarray, draws: Draws) -> Spread:
    """The resampled mean over subjects: their scores need not be computed anew."""
    present = ~np.isnan(per_subject)
    known = per_subject[present]
    one_stratum = np.zeros(len(known), dtype=int)
    if len(known) < 2:
        return Spread(np.full(1, np.nan), one_stratum)
    weights = draw_weights(one_stratum, draws.n_bootstraps, np.random.default_rng(draws.seed))
    return Spread(weights @ known / len(known), one_stratum, dependence.between_folds(known, folds[present]))


def _interval(metric: str, value: float, spread: Spread, train: float, chance: float, shared: float) -> Interval:
    """Low and high, widened for folds that depend on each other."""
    error = float(np.nanstd(spread.resampled)) if not np.isnan(spread.resampled).all() else np.nan
    # by luck a value may lie near the training score: one standard error below it, that happens to few
    lower = value - error if shared else value
    floor = 0.0 if metric == "r2" else chance  # what is predicted without knowing the signal: its mean
    n, n_strata = len(spread.strata), len(np.unique(spread.strata))
    inflation = dependence.inflation(dependence.optimism(train, lower, floor), shared, n - n_strata + 1)
    inflation += spread.of_folds / error**2 if error > 0 else 0.0
    low, high = expanded_interval(spread.resampled, value, spread.strata, inflation)
    return Interval(_bounded(metric, value, low), _bounded(metric, value, high), inflation)


def _bounded(metric: str, value: float, end: float) -> float:
    """One end of an interval, drawn as far from the value as on a scale of even spread: arcsine of the root, or log(1 - R2).

    Scores near the end of their scale are skewed: a person can do much worse than most, hardly better. NaN stays.
    """
    lowest = {"r2": -np.inf, "cohen_kappa": -1.0, "pearson_r": -1.0}.get(metric, 0.0)
    if np.isnan(end) or not lowest < value < 1:
        return float(np.clip(end, lowest, 1.0))
    if metric == "r2":
        return float(1 - (1 - value) * np.exp((value - end) / (1 - value)))
    share = (value - lowest) / (1 - lowest)
    angle = np.arcsin(np.sqrt(share)) + (end - value) / (1 - lowest) / (2 * np.sqrt(share * (1 - share)))
    return float(lowest + (1 - lowest) * np.sin(np.clip(angle, 0, np.pi / 2)) ** 2)


def _chance(value: float, null: ndarray, inflation: float) -> dict[str, float]:
    """Chance, with a spread as wide as that of cross-validated scores that have learned nothing."""
    middle = float(mean(null))
    null = middle + np.sqrt(inflation) * (null - middle)
    high = float(np.nanquantile(null, 0.95)) if not np.isnan(null).all() else float("nan")
    return {"chance": middle, "chance_high": high, "p": p_value(value, null)}


def _lead(values: scored.PerGroup, model: str, metric: str, grouping: Groups, against: str | None) -> dict[str, Any]:
    """The paired comparison of the model `against` with this one."""
    if against not in values or model == against:
        return {"difference": np.nan, "effect": np.nan, "p_wilcoxon": np.nan, "p_sign_flip": np.nan, "paired": ""}
    lead, over = values[against][metric] - values[model][metric], f"{len(grouping.owner)} groups ({grouping.level})"
    owners = scored.over_owners(lead, grouping.owner)
    difference = float(mean(owners))
    if grouping.by_subject and len(owners) >= MIN_SUBJECTS:
        lead, over = owners, f"{len(owners)} subjects"
    elif grouping.by_subject:
        over += " of too few subjects: an indication, as folds share training data"
    tests = {"p_wilcoxon": paired.wilcoxon(lead), "p_sign_flip": paired.sign_flip(lead)}
    return {"difference": difference, "effect": paired.effect_size(lead), **tests, "paired": over}


def _n_subjects(predicted: Predicted, grouping: Groups, per_owner: ndarray) -> int:
    """The subjects that have a score."""
    return int((~np.isnan(per_owner)).sum()) if grouping.by_subject else predicted.windows["subject"].nunique()


def _widened(inflation: float, train: float | None = None) -> str:
    """What was done about folds that depend on each other, in words."""
    if inflation == 1:
        return ""
    why = "" if train is None else f", training score {'unknown' if np.isnan(train) else f'{train:.3f}'}"
    return f", variance x {inflation:.2f} as folds train on what others test{why}"


def _how(clustering: Clusters, draws: Draws) -> str:
    return f"expanded percentile bootstrap over {clustering.name} ({draws.n_bootstraps} resamples)"
