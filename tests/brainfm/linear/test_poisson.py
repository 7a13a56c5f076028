"""Poisson regression: scikit-learn's on standardised features, and silence for a unit that never fires."""

import numpy as np
import pytest
from sklearn.linear_model import PoissonRegressor

from brainfm.linear.poisson import ALPHA, fit_poisson


def test_planted_rates_are_found_as_scikit_learn_finds_them() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((500, 3)) * [1, 10, 0.1] + 5
    z = (x - x.mean(0)) / x.std(0)
    y = np.stack([rng.poisson(np.exp(z @ [0.5, -0.3, 0.0])), np.zeros(500)], 1).astype(float)
    found = fit_poisson(x, y)
    wanted = PoissonRegressor(alpha=ALPHA).fit(z, y[:, 0]).predict(z)
    assert np.abs(found.predict(x)[:, 0] - wanted).max() < 0.01
    assert (found.predict(x)[:, 1] < 1e-6).all()


def test_negative_counts_are_refused() -> None:
    with pytest.raises(ValueError, match="some are negative"):
        fit_poisson(np.zeros((5, 1)), -np.ones((5, 1)))
