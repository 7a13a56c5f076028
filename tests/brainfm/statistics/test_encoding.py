"""Scores per channel: parity with numpy and scikit-learn, blocks that keep autocorrelation, parts that sum up."""

from itertools import combinations

import numpy as np
import pytest
from sklearn.metrics import r2_score

from brainfm.statistics import encoding

RNG = np.random.default_rng(0)
TRUTH = RNG.standard_normal((120, 5)) + 100
SAID = TRUTH + RNG.standard_normal((120, 5)) * np.arange(5)


def test_correlation_and_r2_agree_with_numpy_and_scikit_learn() -> None:
    assert np.allclose(
        encoding.correlation(TRUTH, SAID), [np.corrcoef(TRUTH[:, v], SAID[:, v])[0, 1] for v in range(5)]
    )
    assert np.allclose(encoding.r2(TRUTH, SAID), r2_score(TRUTH, SAID, multioutput="raw_values"))


def test_what_never_changes_has_no_score_and_a_constant_guess_scores_nothing() -> None:
    truth, said = TRUTH.copy(), SAID.copy()
    truth[:, 0], said[:, 1] = 7.0, 7.0
    r = encoding.correlation(truth, said)
    assert np.isnan(r[0])
    assert r[1] == 0
    assert np.isnan(encoding.r2(truth, said)[0])


def test_a_negative_correlation_stays_negative_when_squared() -> None:
    assert encoding.signed_square(np.array([-0.5, 0.5])).tolist() == [-0.25, 0.25]


def test_permuted_blocks_correlate_as_a_loop_over_them_does() -> None:
    run = np.repeat([0, 1], [65, 55])
    null = encoding.block_null(TRUTH, SAID, run, block=10, n=3, seed=4)
    rows = np.r_[0:60, 65:115].reshape(11, 10)
    rng = np.random.default_rng(4)
    for one in null:
        order = rows[rng.permutation(11)].ravel()
        wanted = [np.corrcoef(TRUTH[order, v], SAID[rows.ravel(), v])[0, 1] for v in range(5)]
        assert np.allclose(one, wanted, atol=1e-5)


def test_slow_signals_are_no_skill_under_blocks_and_are_under_single_samples() -> None:
    rng = np.random.default_rng(1)
    smooth = np.stack([np.convolve(rng.standard_normal(3000), np.ones(50) / 7, "valid") for _ in range(400)], 1)
    truth, said, run = smooth[:, :200], smooth[:, 200:], np.zeros(len(smooth), int)
    rates = []
    for block in (200, 1):
        null = encoding.block_null(truth, said, run, block, n=199)
        rates.append((encoding.p_values(encoding.correlation(truth, said), null) <= 0.05).mean())
    assert rates[0] < 0.12
    assert rates[1] > 0.3


def test_too_few_blocks_are_refused() -> None:
    with pytest.raises(ValueError, match="12 samples make 1 blocks of 10"):
        encoding.block_null(TRUTH[:12], SAID[:12], np.zeros(12, int), 10)


def test_false_discovery_rates_leave_nan_alone() -> None:
    q = encoding.fdr(np.array([0.01, np.nan, 0.04, 0.03]))
    assert np.allclose(q, [0.03, np.nan, 0.04, 0.04], equal_nan=True)


def test_parts_of_explained_variance_sum_to_the_whole_and_are_what_was_planted() -> None:
    own = {"a": 0.3, "b": 0.1, "c": 0.0}
    shared = 0.2  # by a and b alone
    spaces = frozenset(own)
    unions = [frozenset(u) for size in (1, 2, 3) for u in combinations(sorted(spaces), size)]
    scores = {u: np.array([sum(own[s] for s in u) + (shared if u & {"a", "b"} else 0)]) for u in unions}
    parts = encoding.partition(scores)
    assert sum(parts.values())[0] == pytest.approx(0.6)
    assert parts[frozenset("a")][0] == pytest.approx(0.3)
    assert parts[frozenset("ab")][0] == pytest.approx(0.2)
    assert parts[frozenset("abc")][0] == pytest.approx(0.0)


def test_a_missing_union_is_named() -> None:
    with pytest.raises(ValueError, match="is missing"):
        encoding.partition({frozenset("a"): np.zeros(1), frozenset("b"): np.zeros(1)})
