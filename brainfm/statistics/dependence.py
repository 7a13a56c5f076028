"""How much wider an interval has to be because what one fold tests, another fold trains on.

The mean score of a cross-validation is nearly a U-statistic of order two: how well what is learned from person j carries
over to person i, over all pairs in different folds. A pair whose members test each other's models counts twice, so
their scores move together, and the spread between people does not show it. Where a model has learned no more than the
noise of its training part, that doubles the variance, which is the correction of Nadeau and Bengio (2003, Machine
Learning 52, equation 9: 1 / J + n_test / n_train) for test sets of one person each. Where the training part has taught all
there is, training on other people would change nothing, and there is nothing to correct. In between stands the share q of
the training score that is lost in new people, the optimism: for the mean of a signal in noise, scored along the direction
that was learned, the variance grows by 1 + 3/2 q - 1/2 q^3 (docs/guides/statistics.md derives it). No estimate from one
cross-validation is without bias (Bengio and Grandvalet 2004, JMLR 5); this one is checked by simulation
(tests/brainfm/statistics/test_dependence.py).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int
from numpy import ndarray

_MOST = 0.5  # of the variance can hide in what scores have in common; matters below four clusters


def optimism(train: float, value: float, floor: float) -> float:
    """The share of the training score, counted from `floor` (chance), that is lost in new people; 1 where unknown.

    >>> optimism(0.9, 0.8, 0.5), optimism(0.9, 0.9, 0.5), optimism(0.9, 0.4, 0.5), optimism(float("nan"), 0.9, 0.5)
    (0.25, 0.0, 1.0, 1.0)
    """
    if not train > floor:
        return 1.0
    return float(np.clip(round((train - value) / (train - floor), 12), 0.0, 1.0))


def inflation(optimism: float, shared: float, n: int) -> float:
    """What the variance of a mean over n clusters is to be multiplied with, `shared` as `mutual` gives it.

    The denominator: scores that move together differ less from their own mean, by which the variance is estimated.

    >>> inflation(0.0, 1.0, 12), round(inflation(1.0, 1.0, 12), 3), inflation(1.0, 0.0, 12)
    (1.0, 2.2, 1.0)
    """
    more = shared * (1.5 * optimism - 0.5 * optimism**3)
    return float((1 + more) / (1 - min(_MOST, shared * optimism / max(n - 1, 1))))


def between_folds(scores: Float[ndarray, "cluster"], fold: Int[ndarray, "cluster"]) -> float:
    """What the variance of the mean has on top because the people of a fold share one model, good or bad; 0 or more.

    The component of a one-way analysis of variance (method of moments) beyond what people alone explain: with few folds
    of many people each, the spread between people hides how much models differ.

    >>> between_folds(np.array([0.6, 0.6, 0.8, 0.8]), np.array([0, 0, 1, 1])) > 0
    True
    >>> between_folds(np.array([0.6, 0.8, 0.6, 0.8]), np.array([0, 0, 1, 1]))
    0.0
    """
    n, folds = len(scores), np.unique(fold)
    if not 2 <= len(folds) < n:
        return 0.0
    size = np.array([(fold == k).sum() for k in folds])
    means = np.array([scores[fold == k].mean() for k in folds])
    within = sum(((scores[fold == k] - m) ** 2).sum() for k, m in zip(folds, means, strict=True)) / (n - len(folds))
    among = (size * (means - scores.mean()) ** 2).sum() / (len(folds) - 1)
    component = max(0.0, among - within) * (len(folds) - 1) / (n - (size**2).sum() / n)
    return float(component * ((size**2).sum() / n**2 - 1 / n))


def mutual(windows: pd.DataFrame, clusters: Int[ndarray, "sample"]) -> float:
    """How far clusters test models that others of them trained, and the other way round: from 0 (no two do) to 1.

    1 for folds over people, or over stretches of time; 0 for one fold; 0 where each person has models of their own and
    the clusters are people.
    """
    fold, learns = _learns(windows)
    pairs = np.unique(np.stack([clusters, fold]), axis=1)
    member = np.zeros((clusters.max() + 1, len(learns)), dtype=bool)
    member[pairs[0], pairs[1]] = True
    patterns, count = np.unique(member, axis=0, return_counts=True)  # clusters in the same folds are alike
    teaches = (patterns.astype(float) @ learns @ patterns.T > 0).astype(float)
    n_teachers = teaches @ count
    weight = np.divide(count, np.sqrt(n_teachers), out=np.zeros(len(count)), where=n_teachers > 0)
    alone = np.divide(count * np.diag(teaches), n_teachers, out=np.zeros(len(count)), where=n_teachers > 0)
    return float((weight @ teaches @ weight - alone.sum()) / count.sum())


def in_mutual_folds(windows: pd.DataFrame) -> float:
    """The share of windows whose fold's model was trained on what another fold tests."""
    fold, learns = _learns(windows)
    return float(np.any(learns, axis=1)[fold].mean())


def _learns(windows: pd.DataFrame) -> tuple[Int[ndarray, "sample"], Bool[ndarray, "fold fold"]]:
    """The fold of each window, and which folds' models learn from what another fold tests.

    All do, but for folds that each test one person, of several for that person: those are models of one person.
    """
    fold = windows.groupby(["seed", "fold"], sort=True).ngroup().to_numpy(dtype=np.int64)
    subject = windows.groupby("subject", sort=True, dropna=False).ngroup().to_numpy(dtype=np.int64)
    seed = windows.groupby("seed").ngroup().to_numpy(dtype=np.int64)
    pairs = np.unique(np.stack([fold, subject]), axis=1)
    own = (np.bincount(pairs[0])[pairs[0]] == 1) & (np.bincount(pairs[1])[pairs[1]] > 1)
    whose = np.full(fold.max() + 1, -1)
    whose[pairs[0, own]] = pairs[1, own]
    of_seed = np.zeros_like(whose)
    of_seed[fold] = seed
    learns = np.equal.outer(whose, whose) | np.logical_or.outer(whose < 0, whose < 0)
    return fold, learns & np.equal.outer(of_seed, of_seed) & ~np.eye(len(whose), dtype=bool)
