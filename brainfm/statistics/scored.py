"""Every model's score per group, the same on permuted truth, and on resampled clusters."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from brainfm.statistics.bootstrap import draw_weights, resampled_values
from brainfm.statistics.metrics import mean
from brainfm.statistics.permutation import shifted, shuffled
from brainfm.statistics.predictions import Predicted
from brainfm.statistics.units import Clusters, Groups, exchange

PerGroup = dict[str, dict[str, ndarray]]  # model -> metric -> [..., group]


def observed(predicted: Predicted, groups: Groups) -> PerGroup:
    """Each model's metrics `[group]`; NaN where a group cannot be scored."""
    values: PerGroup = {}
    for model, prediction in predicted.models.items():
        scores = [predicted.tally.score(predicted.truth[m], prediction[m]) for m in groups.members()]
        values[model] = {metric: np.array([s[metric] for s in scores]) for metric in predicted.tally.metrics}
    return values


def by_chance(predicted: Predicted, groups: Groups, n: int, seed: int) -> tuple[PerGroup, str]:
    """Each model's metrics `[permutation, group]` on permuted truth, the same for every model; and what was permuted."""
    unit, tally = exchange(predicted, groups), predicted.tally
    values = _empty(predicted, n, groups)
    for g, member in enumerate(groups.members()):
        features = [tally.features(predicted.truth[member], p[member]) for p in predicted.models.values()]
        joined = replace(features[0], prediction=np.concatenate([f.prediction for f in features], axis=-1))
        permute = shifted if unit.shift else shuffled
        crossed = permute(joined, unit.codes[member], n, np.random.default_rng([seed, g]))
        for model, own, part in zip(values, features, np.split(crossed, len(features), axis=-1), strict=True):
            scores = tally.values(part, float(member.sum()), own.margin.sum(0))
            for metric, score in scores.items():
                values[model][metric][:, g] = score
    return values, unit.name


def resampled(
    predicted: Predicted, groups: Groups, clusters: Clusters, n: int, seed: int
) -> dict[str, dict[str, ndarray]]:
    """Each model's summary metrics `[resample]` when clusters are drawn anew, the same draws for every model."""
    weights = draw_weights(clusters.strata, n, np.random.default_rng(seed))
    values = _empty(predicted, n, groups)
    for g, member in enumerate(groups.members()):
        for model, prediction in predicted.models.items():
            scores = resampled_values(
                predicted.tally, predicted.truth[member], prediction[member], clusters.codes[member], weights
            )
            for metric, score in scores.items():
                values[model][metric][:, g] = score
    return {m: {k: mean(over_owners(v, groups.owner)) for k, v in of.items()} for m, of in values.items()}


def over_owners(values: Float[ndarray, "... group"], owner: Int[ndarray, "group"]) -> Float[ndarray, "... owner"]:
    """The mean over the groups of each owner (the folds of a subject)."""
    return np.stack([mean(values[..., owner == code]) for code in np.unique(owner)], axis=-1)


def _empty(predicted: Predicted, n: int, groups: Groups) -> PerGroup:
    shape = (n, len(groups.owner))
    return {model: {metric: np.full(shape, np.nan) for metric in predicted.tally.metrics} for model in predicted.models}
