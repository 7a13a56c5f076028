"""The table at the top of a report: each model's score with its interval, beside chance and the other models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from numpy import ndarray

from brainfm.statistics import paired, scored
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


def summarise(table: pd.DataFrame, metrics: Sequence[str] | None = None, draws: Draws | None = None) -> pd.DataFrame:
    """One row per model, target and metric, from the predictions of all folds.

    `value` is the mean over subjects of each subject's mean over folds (`level` says on which windows a metric is
    computed). `low` and `high` enclose it with 95 % confidence, given the trained models: `interval` says what was
    resampled. `chance` is the mean of the scores on permuted truth, `chance_high` their 95th percentile, `p` one-sided;
    `null` says what was permuted. `difference` is the lead of `draws.against` over the row's model, with two-sided
    paired tests and an effect size in standard deviations; `paired` says over what.
    """
    parts = [_summary(predicted, metrics, draws or Draws()) for predicted in from_table(table)]
    return pd.concat(parts, ignore_index=True)


def _summary(predicted: Predicted, metrics: Sequence[str] | None, draws: Draws) -> pd.DataFrame:
    grouping, clustering = groups(predicted), clusters(predicted)
    values = scored.observed(predicted, grouping)
    null, null_name = scored.by_chance(predicted, grouping, draws.n_permutations, draws.seed)
    intervals = _intervals(predicted, grouping, clustering, values, draws)
    rows = []
    for model, metric in product(values, chosen(predicted, metrics)):
        per_owner = scored.over_owners(values[model][metric], grouping.owner)
        value, by_chance = float(mean(per_owner)), mean(scored.over_owners(null[model][metric], grouping.owner))
        row = {"model": model, "target": predicted.target, "metric": metric, "value": value}
        row |= dict(zip(("low", "high"), intervals[model][metric], strict=True)) | _chance(value, by_chance)
        row |= {"n_subjects": _n_subjects(predicted, grouping, per_owner), "n_samples": len(predicted.windows)}
        row |= {"level": grouping.level, "interval": _how(clustering, draws), "null": null_name}
        rows.append(row | _lead(values, model, metric, grouping, draws.against))
    return pd.DataFrame(rows)


def chosen(predicted: Predicted, metrics: Sequence[str] | None) -> Sequence[str]:
    """The metrics that were asked for and suit the target, in the order asked; all that suit where none were asked."""
    known = predicted.tally.metrics
    return known if metrics is None else [metric for metric in metrics if metric in known]


def _intervals(
    predicted: Predicted, grouping: Groups, clustering: Clusters, values: scored.PerGroup, draws: Draws
) -> dict[str, dict[str, tuple[float, float]]]:
    """Low and high of each model and metric."""
    if grouping.by_subject and clustering.are_subjects:
        per_subject = {m: {k: scored.over_owners(v, grouping.owner) for k, v in of.items()} for m, of in values.items()}
        return {m: {k: _possible(k, _over_subjects(v, draws)) for k, v in of.items()} for m, of in per_subject.items()}
    resampled = scored.resampled(predicted, grouping, clustering, draws.n_bootstraps, draws.seed)
    value = {
        m: {k: float(mean(scored.over_owners(v, grouping.owner))) for k, v in of.items()} for m, of in values.items()
    }
    return {
        m: {k: _possible(k, expanded_interval(v, value[m][k], clustering.strata)) for k, v in of.items()}
        for m, of in resampled.items()
    }


def _possible(metric: str, interval: tuple[float, float]) -> tuple[float, float]:
    """The interval without what the metric cannot be; NaN stays."""
    lowest = {"r2": -np.inf, "cohen_kappa": -1.0, "pearson_r": -1.0}.get(metric, 0.0)
    low, high = np.clip(interval, lowest, 1.0)
    return float(low), float(high)


def _over_subjects(per_subject: ndarray, draws: Draws) -> tuple[float, float]:
    """The interval of a mean over subjects: their scores need not be computed anew."""
    known = per_subject[~np.isnan(per_subject)]
    if len(known) < 2:
        return float("nan"), float("nan")
    one_stratum = np.zeros(len(known), dtype=int)
    weights = draw_weights(one_stratum, draws.n_bootstraps, np.random.default_rng(draws.seed))
    return expanded_interval(weights @ known / len(known), float(known.mean()), one_stratum)


def _chance(value: float, null: ndarray) -> dict[str, float]:
    high = float(np.nanquantile(null, 0.95)) if not np.isnan(null).all() else float("nan")
    return {"chance": float(mean(null)), "chance_high": high, "p": p_value(value, null)}


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


def _how(clustering: Clusters, draws: Draws) -> str:
    return f"expanded percentile bootstrap over {clustering.name} ({draws.n_bootstraps} resamples)"
