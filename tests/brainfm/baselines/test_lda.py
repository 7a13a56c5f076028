"""The shrinkage of time samples + LDA is the one of Ledoit and Wolf, in the rotated space too."""

import numpy as np
import pytest
from sklearn.covariance import ledoit_wolf

from brainfm.baselines.time_samples import TimeSamples, pooled


@pytest.mark.parametrize("n_features", [12, 90])
def test_decisions_are_those_of_the_full_shrunk_covariance(n_features: int, fit) -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 60)
    X = rng.standard_normal((60, 1, n_features)) @ rng.standard_normal((n_features, n_features))
    X = (X / X.std() + 0.1 * rng.standard_normal((3, 1, n_features))[y]).astype(np.float32)
    p = fit(TimeSamples(), X, y, sfreq=32.0).predict(X)
    rows = pooled(X / X.std(dtype=np.float64), 1)
    means = np.stack([rows[y == k].mean(0) for k in range(3)])
    covariance, _ = ledoit_wolf(rows - means[y], assume_centered=True)
    weights = np.linalg.solve(covariance, means.T)
    logits = rows @ weights - 0.5 * (means * weights.T).sum(1)
    expected = np.exp(logits - logits.max(1, keepdims=True))
    np.testing.assert_allclose(p, expected / expected.sum(1, keepdims=True), atol=1e-4)
