"""Riemannian tangent space + logistic regression: covariances as points of a curved space, flattened at their mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy import ndarray

from brainfm.baselines.base import LinearProbe, PrincipalChannels, logistic_heads, waves_only

_MEAN_OF = 1000  # windows: the mean is iterative, and a thousand settle it


class TangentSpace(LinearProbe):
    """Shrinkage covariance of each window, in the tangent space at their Riemannian mean, into logistic regression.

    More than 32 channels are first projected onto their 32 leading principal components; the mean is taken over at most
    a thousand windows, evenly spaced.
    Reference: Barachant et al. 2013, https://doi.org/10.1016/j.neucom.2012.12.039
    """

    name = "tangent space + logistic regression"

    def suits(self, facts: Mapping[str, Any]) -> str | None:
        return "one channel has no covariance" if facts["n_chans"] < 2 else waves_only(facts)

    def features(self, facts: Mapping[str, Any]) -> Any:
        return _Tangent()

    def heads(self, n_classes: int) -> dict[str, Any]:
        return logistic_heads()


class _Tangent:
    """From windows to the upper triangle of their whitened covariance's logarithm."""

    def __init__(self) -> None:
        from pyriemann.estimation import Covariances
        from pyriemann.tangentspace import TangentSpace as PyriemannTangentSpace

        self._channels, self._covariance = PrincipalChannels(), Covariances("lwf")
        self._tangent = PyriemannTangentSpace("riemann")

    def fit_transform(self, X: ndarray, y: ndarray) -> ndarray:
        covariances = self._covariance.fit_transform(self._channels.fit_transform(X, y))
        some = np.linspace(0, len(X) - 1, min(len(X), _MEAN_OF)).astype(int)
        return self._tangent.fit(covariances[some]).transform(covariances)

    def transform(self, X: ndarray) -> ndarray:
        return self._tangent.transform(self._covariance.transform(self._channels.transform(X)))
