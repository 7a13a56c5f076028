"""Metrics agree with scikit-learn and scipy, and are NaN where they have no meaning."""

import numpy as np
import pytest
from scipy.stats import pearsonr
from sklearn import metrics as sk

from brainfm.statistics.metrics import ClassTally, ValueTally


def classified(n_classes: int, n: int = 200, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, n_classes, n)
    raw = np.round(rng.random((n, n_classes)) + 0.4 * np.eye(n_classes)[truth], 1)  # rounded: ties in every column
    return truth, raw / raw.sum(1, keepdims=True)


@pytest.mark.parametrize("n_classes", [2, 3, 7])
def test_class_metrics_agree_with_scikit_learn(n_classes: int) -> None:
    truth, p = classified(n_classes)
    decision = p.argmax(1)
    area = p[:, 1] if n_classes == 2 else p
    expected = {
        "accuracy": sk.accuracy_score(truth, decision),
        "balanced_accuracy": sk.balanced_accuracy_score(truth, decision),
        "macro_f1": sk.f1_score(truth, decision, average="macro"),
        "auroc": sk.roc_auc_score(truth, area, multi_class="ovr", average="macro"),
        "cohen_kappa": sk.cohen_kappa_score(truth, decision),
    }
    assert ClassTally(n_classes).score(truth, p) == pytest.approx(expected)


def test_a_class_that_never_occurs_is_left_out_as_in_scikit_learn() -> None:
    truth, p = classified(3)
    p = np.column_stack([p, np.zeros(len(p))])
    scores = ClassTally(4).score(truth, p)
    assert scores["balanced_accuracy"] == pytest.approx(sk.balanced_accuracy_score(truth, p.argmax(1)))
    assert scores["macro_f1"] == pytest.approx(sk.f1_score(truth, p.argmax(1), average="macro"))
    assert scores["auroc"] == pytest.approx(ClassTally(3).score(truth, p[:, :3])["auroc"])


def test_a_class_that_is_only_ever_guessed_lowers_macro_f1_as_in_scikit_learn() -> None:
    truth, p = classified(3)
    merged = np.minimum(truth, 1)
    assert ClassTally(3).score(merged, p)["macro_f1"] == pytest.approx(
        sk.f1_score(merged, p.argmax(1), average="macro", zero_division=0)
    )


def test_with_one_class_in_the_truth_only_accuracy_is_defined() -> None:
    scores = ClassTally(2).score(np.zeros(4, dtype=int), np.array([[0.9, 0.1], [0.2, 0.8], [0.7, 0.3], [0.6, 0.4]]))
    assert scores.pop("accuracy") == 0.75
    assert all(np.isnan(value) for value in scores.values())


def test_value_metrics_agree_with_scikit_learn_and_scipy_far_from_zero() -> None:
    rng = np.random.default_rng(0)
    truth = rng.standard_normal((300, 3)) + np.array([0.0, 1e4, -1e6])
    guess = truth + rng.standard_normal((300, 3)) + 0.3
    scores = ValueTally(3).score(truth, guess)
    assert scores["r2"] == pytest.approx(sk.r2_score(truth, guess))
    assert scores["pearson_r"] == pytest.approx(np.mean([pearsonr(truth[:, i], guess[:, i])[0] for i in range(3)]))


def test_predicting_the_mean_of_the_test_part_has_r2_zero_and_no_correlation() -> None:
    truth = np.random.default_rng(0).standard_normal((50, 1)) + 7
    scores = ValueTally(1).score(truth, np.full((50, 1), truth.mean()))
    assert scores["r2"] == pytest.approx(0)
    assert np.isnan(scores["pearson_r"])


def test_a_dim_that_is_constant_in_the_truth_is_left_out() -> None:
    rng = np.random.default_rng(0)
    truth, guess = rng.standard_normal((50, 2)), rng.standard_normal((50, 2))
    truth[:, 1] = 0.1
    assert ValueTally(2).score(truth, guess) == pytest.approx(ValueTally(1).score(truth[:, :1], guess[:, :1]))
    assert np.isnan(ValueTally(1).score(truth[:, 1:], guess[:, 1:])["r2"])
