"""Principal components of the same windows, read out by their nearest neighbours: what no contrast is needed for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from brainfm.baselines.base import Baseline, InnerFolds, pooled

_MAX_FEATURES, NEIGHBOURS = 4000, (1, 4, 9, 16, 25, 49)


class PCANeighbours(Baseline):
    """As many principal components as the embedding has dimensions, and the mean over the nearest windows of training.

    The number of neighbours with the smallest squared error on the inner folds wins. Not in the default list: an
    evaluator of embeddings names it.
    """

    name = "PCA + kNN"
    linear = False
    handles = "values"

    def __init__(self, n_components: int = 8) -> None:
        self.n_components = n_components

    def fit(
        self, X: Float[ndarray, "batch channel time"], y: ndarray, folds: InnerFolds, facts: Mapping[str, Any]
    ) -> PCANeighbours:
        from sklearn.decomposition import PCA
        from sklearn.neighbors import KNeighborsRegressor

        self._factor = -(-X.shape[1] * X.shape[2] // _MAX_FEATURES)
        rows = pooled(X, self._factor)
        self._pca = PCA(min(self.n_components, *rows.shape), random_state=0)
        points = self._pca.fit_transform(rows)
        sizes = [k for k in NEIGHBOURS if k <= min(len(known) for known, _ in folds.pairs)]
        errors = [sum(_error(points, y, k, *pair) for pair in folds.pairs) for k in sizes]
        best = sizes[int(np.argmin(errors))]
        self._neighbours = KNeighborsRegressor(best).fit(points, y)
        self.chosen = f"k={best} (of {sizes}) by {folds.how} of the training part"
        return self

    def predict(self, X: Float[ndarray, "batch channel time"]) -> Float[ndarray, "batch output"]:
        return self._neighbours.predict(self._pca.transform(pooled(X, self._factor)))


def _error(points: ndarray, y: ndarray, k: int, known: ndarray, held_out: ndarray) -> float:
    from sklearn.neighbors import KNeighborsRegressor

    found = KNeighborsRegressor(k).fit(points[known], y[known]).predict(points[held_out])
    return float(np.square((found - y[held_out]) / np.maximum(y.std(0), 1e-12)).sum())
