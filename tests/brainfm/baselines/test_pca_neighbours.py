"""Neighbours among principal components find a smooth latent, and as many of them as do best."""

import numpy as np

from brainfm.baselines.base import inner_folds
from brainfm.baselines.pca_neighbours import PCANeighbours


def test_a_latent_in_many_channels_is_read_from_its_components() -> None:
    rng = np.random.default_rng(0)
    turn = np.linspace(0, 60, 900)
    y = np.stack([np.cos(turn), np.sin(turn)], 1)
    X = (y @ rng.standard_normal((2, 12)))[:, :, None] + 0.1 * rng.standard_normal((900, 12, 2))
    folds = inner_folds(np.zeros(600, int), None, None, 3)
    fitted = PCANeighbours(2).fit(X[:600], y[:600], folds, {"n_outputs": 2})
    residual = np.square(fitted.predict(X[600:]) - y[600:]).sum() / np.square(y[600:] - y[600:].mean(0)).sum()
    assert residual < 0.02
    assert fitted.chosen.startswith("k=")
    shuffled = PCANeighbours(2).fit(X[:600], rng.permutation(y[:600]), folds, {"n_outputs": 2})
    assert int(shuffled.chosen[2:].split()[0]) > int(fitted.chosen[2:].split()[0])
