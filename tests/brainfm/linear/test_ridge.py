"""The ridge engine: the same answer as scikit-learn and himalaya, for any shape, block and place of the targets."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy import ndarray
from sklearn import linear_model

from brainfm.linear.chunks import contiguous
from brainfm.linear.ridge import RidgeFit, RidgeOptions, fit_ridge
from brainfm.linear.scoring import Scoring

ALPHAS = np.logspace(0, 4, 9)


def planted(n: int = 120, p: int = 20, t: int = 30, seed: int = 0) -> tuple[ndarray, ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, p)) + 2
    y = x @ rng.standard_normal((p, t)) * np.logspace(-1, 0.5, t) + 3 * rng.standard_normal((n, t)) + 10
    return x.astype(np.float32), y.astype(np.float32)


def fitted(x: ndarray, y: ndarray, options: RidgeOptions | None = None) -> RidgeFit:
    return fit_ridge(x, y, ALPHAS, contiguous(np.zeros(len(x), int), 3), options)


def test_published_penalty_equals_scikit_learn_to_the_last_digits() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((60, 7)), rng.standard_normal((60, 3))
    for a in (1.0, 3.0, 10.0):
        ours = fit_ridge(x, y, [a**2], options=RidgeOptions(intercept=False, dtype="float64"))
        theirs = linear_model.Ridge(alpha=a**2, fit_intercept=False).fit(x, y)
        assert np.abs(ours.weights - theirs.coef_.T).max() < 1e-12


@settings(max_examples=20, deadline=None)
@given(st.integers(5, 60), st.integers(1, 80), st.integers(1, 9), st.booleans(), st.floats(0.01, 1e4))
def test_ridge_equals_scikit_learn_for_any_shape(n: int, p: int, t: int, intercept: bool, alpha: float) -> None:
    x, y = planted(n, p, t)
    ours = fit_ridge(x, y, [alpha], options=RidgeOptions(intercept=intercept))
    theirs = linear_model.Ridge(alpha=alpha, fit_intercept=intercept).fit(x.astype(float), y.astype(float))
    wanted = theirs.predict(x.astype(float)).reshape(n, t)
    assert np.abs(ours.predict(x) - wanted).max() <= 1e-4 * np.abs(wanted).max()


@pytest.mark.parametrize(("n", "p"), [(120, 20), (60, 150)])
def test_choice_weights_and_scores_equal_those_of_himalaya(n: int, p: int) -> None:
    from himalaya.backend import set_backend
    from himalaya.ridge import RidgeCV
    from himalaya.scoring import r2_score

    set_backend("numpy")
    x, y = planted(n, p)
    pairs = contiguous(np.zeros(n, int), 3)
    folds = [(np.flatnonzero(train), np.flatnonzero(held_out)) for train, held_out in pairs]
    theirs = RidgeCV(
        alphas=ALPHAS, fit_intercept=True, cv=folds, solver_params={"score_func": r2_score, "warn": False}
    ).fit(x, y)
    ours = fitted(x, y)
    assert np.allclose(ours.alpha, theirs.best_alphas_)
    assert np.abs(ours.weights - theirs.coef_).max() < 1e-4 * np.abs(theirs.coef_).max()
    assert np.abs(ours.scores.max(0) - theirs.cv_scores_).max() < 1e-4


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 40), st.booleans())
def test_any_block_gives_what_one_block_gives(block: int, shared: bool) -> None:
    x, y = planted()
    whole, parts = fitted(x, y, RidgeOptions(shared=shared)), fitted(x, y, RidgeOptions(shared=shared, block=block))
    assert np.array_equal(whole.alpha, parts.alpha)
    assert np.abs(whole.weights - parts.weights).max() < 1e-5 * np.abs(whole.weights).max()
    assert np.abs(whole.scores - parts.scores).max() < 1e-5


def test_rows_on_disk_give_what_rows_in_memory_give(tmp_path: Path) -> None:
    x, y = planted()
    for name, rows in (("x", x), ("y", y)):
        np.save(tmp_path / f"{name}.npy", rows)
    on_disk = [np.load(tmp_path / f"{name}.npy", mmap_mode="r") for name in "xy"]
    assert np.array_equal(fitted(*on_disk).weights, fitted(x, y).weights)


def test_permuted_targets_have_permuted_weights() -> None:
    x, y = planted()
    order = np.random.default_rng(1).permutation(y.shape[1])
    assert np.allclose(fitted(x, y[:, order]).weights, fitted(x, y).weights[:, order], atol=1e-5)


@pytest.mark.parametrize("scoring", ["r2", "correlation", "neg_mse", "signed_root"])
@pytest.mark.parametrize("p", [7, 90])
def test_scores_from_sums_equal_scores_of_predictions(scoring: Scoring, p: int) -> None:
    x, y = planted(p=p, t=4)
    y = (y - y.mean(0)) / y.std(0)
    pairs = contiguous(np.zeros(len(x), int), 3)
    ours = fit_ridge(x, y, ALPHAS, pairs, RidgeOptions(scoring=scoring, dtype="float64")).scores
    wanted = np.zeros_like(ours)
    for train, held_out in pairs:
        for a, alpha in enumerate(ALPHAS):
            said = linear_model.Ridge(alpha=alpha).fit(x[train].astype(float), y[train]).predict(x[held_out])
            wanted[a] += np.array([one_score(*pair, scoring) for pair in zip(y[held_out].T, said.T, strict=True)]) / 3
    assert np.abs(ours - wanted).max() < 1e-5


def one_score(truth: ndarray, said: ndarray, scoring: str) -> float:
    if scoring == "correlation":
        return float(np.corrcoef(truth, said)[0, 1])
    if scoring == "neg_mse":
        return -float(((truth - said) ** 2).mean())
    if scoring == "r2":
        return 1 - float(((truth - said) ** 2).mean() / truth.var())
    r2 = 1 - float((truth - said).var()) / ((1 + truth.var()) / 2)
    return float(np.sign(r2) * np.sqrt(abs(r2)))


def test_an_intercept_recovers_an_offset_that_is_lost_without() -> None:
    x, y = planted()
    x = x - x.mean(0)
    assert np.abs(fit_ridge(x, y, [1.0]).predict(x).mean(0) - y.mean(0)).max() < 1e-4
    lost = fit_ridge(x, y, [1.0], options=RidgeOptions(intercept=False)).predict(x)
    assert np.abs(lost.mean(0)).max() < 1e-4


def test_columns_that_do_not_vary_or_hold_nan_are_told_and_leave_the_others_alone(
    capsys: pytest.CaptureFixture[str],
) -> None:
    x, y = planted()
    spoilt = y.copy()
    spoilt[:, 3], spoilt[7:9, 5] = 4.0, np.nan
    found, clean = fitted(x, spoilt), fitted(x, y)
    others = np.setdiff1d(np.arange(30), [3, 5])
    assert np.allclose(found.weights[:, others], clean.weights[:, others], atol=1e-6)
    assert np.isnan(found.alpha[[3, 5]]).all()
    assert (found.predict(x)[:, 3] == 4.0).all()
    assert np.isnan(found.predict(x)[:, 5]).all()
    told = capsys.readouterr().out
    assert "1 of 30 targets hold NaN" in told
    assert "1 of 30 targets never change" in told


def test_a_run_of_nan_in_every_target_is_left_out_and_told(capsys: pytest.CaptureFixture[str]) -> None:
    x, y = planted()
    spoilt = y.copy()
    spoilt[40:50] = np.nan
    keep = np.r_[0:40, 50:120]
    assert np.allclose(fit_ridge(x, spoilt, [3.0]).weights, fit_ridge(x[keep], y[keep], [3.0]).weights, atol=1e-5)
    assert "10 of 120 rows are NaN in every target" in capsys.readouterr().out


def test_features_that_are_not_finite_are_refused_with_their_row() -> None:
    x, y = planted()
    x[17, 2] = np.nan
    with pytest.raises(ValueError, match="first in row 17"):
        fitted(x, y)


def test_several_penalties_need_folds() -> None:
    with pytest.raises(ValueError, match="no folds to choose on"):
        fit_ridge(*planted(), [1.0, 10.0])


def test_a_choice_at_the_edge_of_the_grid_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    x, y = planted()
    fit_ridge(x, np.random.default_rng(0).standard_normal(y.shape), [0.1, 1.0], contiguous(np.zeros(120, int), 3))
    assert "chose the largest alpha, 1: the best may lie outside, extend alphas upwards" in capsys.readouterr().out


def test_one_shared_penalty_is_the_best_on_average() -> None:
    x, y = planted()
    apart, shared = fitted(x, y), fitted(x, y, RidgeOptions(shared=True))
    assert len(np.unique(apart.alpha)) > 1
    assert np.unique(shared.alpha) == ALPHAS[apart.scores.mean(1).argmax()]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_gives_what_the_processor_gives() -> None:
    x, y = planted()
    on_gpu = fitted(x, y, RidgeOptions(device="cuda"))
    assert np.abs(on_gpu.predict(x) - fitted(x, y).predict(x)).max() < 1e-4 * np.abs(y).max()


@pytest.mark.parametrize("rows", [slice(0, 120), slice(0, 80)])
def test_features_that_never_change_in_a_training_part_predict_its_mean(rows: slice) -> None:
    x, y = planted()
    x = x.copy()
    x[rows] = 2.0  # everywhere, or wherever the third chunk is held out
    found = fitted(x, y)
    assert np.isfinite(found.predict(x)).all()
    if rows.stop == len(x):
        assert np.allclose(found.predict(x), y.mean(0), atol=1e-4)
