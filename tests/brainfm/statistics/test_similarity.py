"""Similarity of representations: rotation changes nothing, chance is zero, and numbers are those of rsatoolbox."""

import numpy as np
import pytest

from brainfm.statistics import similarity


def test_a_rotated_and_scaled_copy_has_a_cka_of_one() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((40, 12)) + 5
    rotated = 3 * x @ np.linalg.qr(rng.standard_normal((12, 12)))[0] - 7
    for debiased in (True, False):
        assert similarity.cka(x, rotated, debiased) == pytest.approx(1.0)


def test_only_the_debiased_cka_of_unrelated_systems_is_zero() -> None:
    rng = np.random.default_rng(0)
    pairs = [(rng.standard_normal((30, 200)), rng.standard_normal((30, 300))) for _ in range(50)]
    assert abs(np.mean([similarity.cka(*pair) for pair in pairs])) < 0.02
    assert np.mean([similarity.cka(*pair, debiased=False) for pair in pairs]) > 0.8


def test_cka_by_hand() -> None:
    x = np.array([[1.0], [-1.0], [1.0], [-1.0]])
    y = np.array([[1.0], [1.0], [-1.0], [-1.0]])
    assert similarity.cka(x, y, debiased=False) == 0.0
    assert similarity.cka(x, x + 0.0, debiased=False) == 1.0


def test_too_few_samples_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 4"):
        similarity.cka(np.zeros((3, 2)), np.zeros((3, 2)))


def test_rdms_compare_and_have_ceilings() -> None:
    rng = np.random.default_rng(0)
    conditions = [str(k) for k in range(8)] * 6
    runs = np.repeat(np.arange(6), 8)
    pattern = rng.standard_normal((8, 30))
    noisy = [np.tile(pattern, (6, 1)) + rng.standard_normal((48, 30)) for _ in range(5)]
    of = [similarity.rdms(one, conditions, "crossnobis", runs) for one in noisy]
    low, high = similarity.ceiling(of)
    model = similarity.rdms(pattern, conditions[:8], "euclidean")
    fit = np.mean([similarity.compared(model, one) for one in of])
    assert 0.5 < low <= high <= 1
    assert low - 0.05 < fit <= high + 0.05
    other = similarity.rdms(rng.standard_normal((8, 30)), conditions[:8], "euclidean")
    assert abs(similarity.compared(other, of[0])) < 0.4


def test_crossnobis_without_runs_is_refused() -> None:
    with pytest.raises(ValueError, match="runs"):
        similarity.rdms(np.zeros((4, 3)), list("abcd"), "crossnobis")
