"""Paired tests agree with scipy and with hand-worked values; datasets combine as they should."""

import numpy as np
import pytest
from scipy import stats

from brainfm.statistics.paired import combine, effect_size, sign_flip, stouffer, wilcoxon


def test_sign_flips_agree_with_scipy() -> None:
    lead = np.random.default_rng(0).standard_normal(9) + 0.5
    for alternative in ("two-sided", "greater"):
        exact = stats.permutation_test(
            (lead,), np.mean, permutation_type="samples", alternative=alternative, n_resamples=np.inf
        )
        assert sign_flip(lead, alternative) == pytest.approx(exact.pvalue)


def test_many_subjects_are_flipped_at_random_and_agree_with_the_t_test() -> None:
    lead = np.random.default_rng(1).standard_normal(40) + 0.3
    assert sign_flip(lead) == pytest.approx(stats.ttest_1samp(lead, 0).pvalue, abs=0.01)


def test_equal_models_are_not_told_apart() -> None:
    assert sign_flip(np.zeros(8)) == 1.0
    assert wilcoxon(np.zeros(8)) == 1.0
    assert np.isnan(effect_size(np.zeros(8)))


def test_a_subject_without_a_score_is_left_out() -> None:
    lead = np.array([0.1, 0.2, 0.15, 0.3, np.nan, 0.05])
    assert sign_flip(lead) == sign_flip(lead[~np.isnan(lead)]) == 2 / 2**5
    assert wilcoxon(lead) == 2 / 2**5


@pytest.mark.parametrize("alternative", ["two-sided", "greater"])
def test_signed_ranks_agree_with_scipy_with_ties_zeros_and_neither(alternative) -> None:
    for lead in (
        np.arange(12) / 24 - 0.2,
        np.repeat([0.1, -0.2, 0.3], 3),
        np.array([0.0, 0.1, 0.1, -0.3, 0.4, 0.0, 0.2]),
    ):
        assert wilcoxon(lead, alternative) == pytest.approx(stats.wilcoxon(lead, alternative=alternative).pvalue)


def test_stouffer_agrees_with_scipy() -> None:
    p, n = np.array([0.01, 0.2, 0.7]), np.array([9, 25, 16])
    assert stouffer(p, n) == pytest.approx(stats.combine_pvalues(p, "stouffer", np.sqrt(n)).pvalue)


def test_datasets_are_joined_by_sign_flips_below_20_subjects_and_by_ranks_from_there_on() -> None:
    rng = np.random.default_rng(0)
    leads = {name: rng.standard_normal(n) * 0.1 + 0.04 for name, n in (("a", 9), ("b", 12), ("c", 30))}
    combined, n = combine(leads), np.array([9, 12, 30])
    p = [sign_flip(leads["a"], "greater"), sign_flip(leads["b"], "greater"), wilcoxon(leads["c"], "greater")]
    assert combined.p == pytest.approx(stouffer(np.array(p), n))
    assert combined.effect == pytest.approx(np.average([effect_size(v) for v in leads.values()], weights=np.sqrt(n)))
    assert (combined.n_datasets, combined.n_subjects) == (3, 51)


def test_combining_nothing_says_what_is_needed() -> None:
    with pytest.raises(ValueError, match="give differences"):
        combine({"a": np.array([np.nan])})
