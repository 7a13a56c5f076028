"""Ridge agrees with scikit-learn, and chooses its penalty inside the training part."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge as SklearnRidge

from brainfm.baselines.mean import Mean
from brainfm.baselines.ridge import ALPHAS, Ridge
from brainfm.statistics.metrics import ValueTally


def regressed(n: int = 600, noise: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """A history of counts, and two values that follow it, far from zero."""
    rng = np.random.default_rng(0)
    X = rng.poisson(2.0, (n, 6, 5)).astype(np.float32)
    y = X.reshape(n, -1) @ rng.standard_normal((30, 2)) + noise * rng.standard_normal((n, 2)) + [5, -100]
    return X, y.astype(np.float32)


def penalty(fitted: Ridge) -> float:
    """The penalty that was chosen, as its text says."""
    told = float(fitted.chosen.split("=")[1].split()[0])
    return min(ALPHAS, key=lambda alpha: abs(alpha - told))


def test_ridge_agrees_with_scikit_learn(fit) -> None:
    X, y = regressed()
    fitted = fit(Ridge(), X, y)
    alpha = penalty(fitted) * len(y) / 1000
    rows = X.reshape(len(X), -1).astype(np.float64)
    rows = (rows - rows.mean(0)) / rows.std(0)
    expected = SklearnRidge(alpha).fit(rows, y).predict(rows)
    np.testing.assert_allclose(fitted.predict(X), expected, atol=1e-3)


def test_noise_asks_for_a_larger_penalty(fit) -> None:
    quiet, loud = (penalty(fit(Ridge(), *regressed(noise=noise))) for noise in (0.01, 100.0))
    assert quiet == ALPHAS[0]
    assert loud >= 100


def test_a_constant_feature_and_a_constant_output_are_no_obstacle(fit) -> None:
    X, y = regressed()
    X[:, 0], y[:, 1] = 3.0, 7.0
    guess = fit(Ridge(), X, y).predict(X)
    np.testing.assert_allclose(guess[:, 1], 7.0, rtol=1e-5)


def test_long_windows_are_averaged_down(fit) -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 3, 3000)).astype(np.float32)
    y = X[:, :1].mean(2)
    fitted = fit(Ridge(), X, y)
    assert ValueTally(1).score(y, fitted.predict(X))["r2"] > 0.5
    assert len(fitted._weights) == 3000


def test_the_mean_is_that_of_the_training_part(fit) -> None:
    X, y = regressed()
    np.testing.assert_allclose(
        fit(Mean(), X[:50], y[:50]).predict(X[50:53]), np.tile(y[:50].mean(0), (3, 1)), rtol=1e-6
    )


@pytest.mark.parametrize("at", [0, 2999])
def test_the_end_of_a_window_counts_as_much_as_its_start(at: int, fit) -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((80, 1, 3000)).astype(np.float32) * 0.01
    X[:, 0, at] = rng.standard_normal(80)
    assert ValueTally(1).score(X[:, :, at], fit(Ridge(), X, X[:, :, at]).predict(X))["r2"] > 0.9
