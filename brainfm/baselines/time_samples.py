"""Time samples + LDA: the shape of a response that is locked to its event."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from brainfm.baselines.base import ChannelScale, LinearProbe, pooled

_SFREQ = 64.0  # hertz: evoked responses are slower
_MAX_COMPONENTS = 500


class TimeSamples(LinearProbe):
    """Shrinkage linear discriminant analysis on all samples of all channels, averaged down to about 64 Hz.

    At most 500 principal components, which loses nothing where windows are fewer. Cut windows to the response: samples
    before and long after it only add noise.
    Reference: Blankertz et al. 2011, https://doi.org/10.1016/j.neuroimage.2010.06.048
    """

    name = "time samples + LDA"
    chosen = "nothing to choose (Ledoit-Wolf shrinkage)"

    def features(self, facts: Mapping[str, Any]) -> Any:
        return _Samples(max(1, round(facts["sfreq"] / _SFREQ)))

    def heads(self, n_classes: int) -> dict[str, Any]:
        return {"lda": _ShrinkageLDA()}


class _Samples:
    """Averages neighbouring samples and puts channels side by side."""

    def __init__(self, factor: int) -> None:
        self._factor, self._scale = factor, ChannelScale()

    def fit_transform(self, X: ndarray, y: ndarray) -> ndarray:
        return pooled(self._scale.fit_transform(X, y), self._factor)

    def transform(self, X: ndarray) -> ndarray:
        return pooled(self._scale.transform(X), self._factor)


class _ShrinkageLDA:
    """Linear discriminant analysis whose within-class covariance is shrunk to a multiple of the identity (Ledoit, Wolf 2004).

    That shrinkage does not see rotations, so it is found among the principal components with the trace spread over all
    features: the same as in the full space, which may have more features than memory has room for their covariance.
    """

    def fit(self, rows: Float[ndarray, "batch feature"], y: Int[ndarray, "batch"]) -> _ShrinkageLDA:
        from sklearn.decomposition import PCA

        n_components = min(_MAX_COMPONENTS, max(1, len(rows) - 1), rows.shape[1])
        self._pca = PCA(n_components, random_state=0).fit(rows)
        self.classes_, codes = np.unique(y, return_inverse=True)
        scores = self._pca.transform(rows).astype(np.float64)
        means = np.stack([scores[codes == k].mean(0) for k in range(len(self.classes_))])
        self._weights = np.linalg.solve(_shrunk(scores - means[codes], rows.shape[1]), means.T)
        self._bias = -0.5 * (means * self._weights.T).sum(1)
        return self

    def predict(self, rows: Float[ndarray, "batch feature"]) -> Int[ndarray, "batch"]:
        return self.classes_[self._logits(rows).argmax(1)]

    def predict_proba(self, rows: Float[ndarray, "batch feature"]) -> Float[ndarray, "batch output"]:
        from scipy.special import softmax

        return softmax(self._logits(rows), axis=1)

    def _logits(self, rows: ndarray) -> ndarray:
        return self._pca.transform(rows) @ self._weights + self._bias


def _shrunk(centred: Float[ndarray, "batch component"], n_features: int) -> Float[ndarray, "component component"]:
    """Ledoit-Wolf covariance of features of which these are the only directions that vary."""
    n, n_components = centred.shape
    covariance = centred.T @ centred / n
    trace, square = np.trace(covariance), (covariance**2).sum()
    distance = square - trace**2 / n_features
    noise = ((centred**2).sum(1) ** 2).sum() / n**2 - square / n
    shrinkage = min(1.0, noise / distance) if distance > 0 else 1.0
    # never singular: a class mean that equals its windows leaves no covariance at all
    floor = max(trace / n_features, np.finfo(np.float64).tiny)
    return (1 - shrinkage) * covariance + max(shrinkage, 1e-6) * floor * np.eye(n_components)
