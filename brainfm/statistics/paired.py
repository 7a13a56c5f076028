"""Paired tests between two models over subjects, and their combination across datasets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Literal

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy import stats

Alternative = Literal["two-sided", "greater"]
_EXACT = 13  # up to 2 ** 13 sign patterns are all tried
_RANK_TEST_FROM = 20  # subjects


@dataclass(frozen=True)
class Combined:
    """One verdict over several datasets: `p` that the first model is no better, `effect` in standard deviations."""

    p: float
    effect: float
    n_datasets: int
    n_subjects: int


def sign_flip(
    differences: Float[ndarray, "subject"], alternative: Alternative = "two-sided", n: int = 10_000, seed: int = 0
) -> float:
    """The p value of a mean difference when each subject's sign could as well be the other; exact up to 13 subjects.

    >>> sign_flip(np.ones(5), "greater")
    0.03125
    """
    differences = _present(differences)
    if len(differences) == 0:
        return float("nan")
    exact = len(differences) <= _EXACT
    flips = (
        _all_signs(len(differences))
        if exact
        else np.random.default_rng(seed).choice([-1.0, 1.0], (n, len(differences)))
    )
    null, observed = flips @ differences, differences.sum()
    if alternative == "two-sided":
        null, observed = np.abs(null), np.abs(observed)
    reached = null >= observed - 1e-9 * np.abs(differences).sum()  # equal sums in spite of rounding
    return float(reached.mean() if exact else (1 + reached.sum()) / (1 + n))


def wilcoxon(differences: Float[ndarray, "subject"], alternative: Alternative = "two-sided") -> float:
    """The p value of the signed-rank test; 1 where no subject differs, NaN without subjects.

    Exact up to 13 subjects that differ, ties included.
    """
    differences = _present(differences)
    if len(differences) == 0:
        return float("nan")
    if not differences.any():
        return 1.0
    unequal = differences[differences != 0]
    if len(unequal) <= _EXACT:
        return _signed_rank(unequal, alternative)
    return float(stats.wilcoxon(differences, alternative=alternative, method="auto").pvalue)


def effect_size(differences: Float[ndarray, "subject"]) -> float:
    """The standardised mean difference: the mean over the standard deviation of the paired differences."""
    differences = _present(differences)
    spread = differences.std(ddof=1) if len(differences) > 1 else 0.0
    return float(differences.mean() / spread) if spread > 0 else float("nan")


def stouffer(p_values: Float[ndarray, "dataset"], n_subjects: ndarray) -> float:
    """One-sided p values joined as z scores that weigh the root of the number of subjects.

    >>> round(stouffer(np.array([0.05, 0.05]), np.array([10, 10])), 4)
    0.01
    """
    weight = np.sqrt(n_subjects)
    z = stats.norm.isf(np.clip(p_values, 1e-15, 1 - 1e-15))
    return float(stats.norm.sf((weight * z).sum() / np.sqrt((weight**2).sum())))


def combine(differences: Mapping[str, Float[ndarray, "subject"]]) -> Combined:
    """Whether one model beats another across datasets, from its lead for each subject of each dataset.

    Per dataset one-sided: sign flips below 20 subjects, Wilcoxon from there on; then Stouffer, and the effect sizes
    averaged with the same weights. Reference: Jayaram and Barachant 2018, https://doi.org/10.1088/1741-2552/aadea0
    """
    leads = [lead for lead in map(_present, differences.values()) if len(lead)]
    if not leads:
        raise ValueError("no dataset has a subject that both models were scored on: give differences of paired scores")
    n = np.array([len(lead) for lead in leads])
    p = np.array([_one_sided(lead) for lead in leads])
    effects = np.array([effect_size(lead) for lead in leads])
    known = ~np.isnan(effects)
    effect = np.average(effects[known], weights=np.sqrt(n[known])) if known.any() else float("nan")
    return Combined(stouffer(p, n), float(effect), len(leads), int(n.sum()))


def _one_sided(lead: ndarray) -> float:
    return sign_flip(lead, "greater") if len(lead) < _RANK_TEST_FROM else wilcoxon(lead, "greater")


def _signed_rank(unequal: ndarray, alternative: Alternative) -> float:
    """Every pattern of signs at once: scipy calls back into Python for each where there are ties, a second per test."""
    ranks = stats.rankdata(np.abs(unequal))  # halves at most: sums are exact
    null, observed = (_all_signs(len(ranks)) > 0) @ ranks, ranks[unequal > 0].sum()
    greater, less = (null >= observed).mean(), (null <= observed).mean()
    return float(greater if alternative == "greater" else min(1.0, 2 * min(greater, less)))


def _present(differences: ndarray) -> ndarray:
    return differences[~np.isnan(differences)]


def _all_signs(n: int) -> ndarray:
    return np.array(list(product([1.0, -1.0], repeat=n)))
