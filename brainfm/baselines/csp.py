"""CSP + LDA: spatial filters whose output varies most for one class and least for another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy import ndarray

from brainfm.baselines.base import LinearProbe, PrincipalChannels, discriminant_heads, waves_only

_MAX_COMPONENTS = 6


class CSP(LinearProbe):
    """Linear discriminant analysis on the log power of common spatial patterns, six or as many as there are channels.

    Signals are taken as they come: band-pass them in the recipe for motor imagery (8 to 30 Hz). More than 32 channels
    are first projected onto their 32 leading principal components.
    Reference: Blankertz et al. 2008, https://doi.org/10.1109/MSP.2008.4408441
    """

    name = "CSP + LDA"
    chosen = f"nothing to choose ({_MAX_COMPONENTS} components, Ledoit-Wolf shrinkage)"

    def suits(self, facts: Mapping[str, Any]) -> str | None:
        return "one channel has no spatial filter" if facts["n_chans"] < 2 else waves_only(facts)

    def features(self, facts: Mapping[str, Any]) -> Any:
        return _Patterns(min(_MAX_COMPONENTS, int(facts["n_chans"])))

    def heads(self, n_classes: int) -> dict[str, Any]:
        return discriminant_heads(n_classes)


class _Patterns:
    """mne's CSP on at most 32 principal channels, without its progress messages."""

    def __init__(self, n_components: int) -> None:
        import mne
        from sklearn.preprocessing import StandardScaler

        self._channels, self._standard = PrincipalChannels(), StandardScaler()
        self._csp = mne.decoding.CSP(n_components=n_components, reg="ledoit_wolf", log=True, rank="full")

    def fit_transform(self, X: ndarray, y: ndarray) -> ndarray:
        import mne

        with mne.use_log_level("ERROR"):
            return self._standard.fit_transform(self._csp.fit_transform(self._channels.fit_transform(X, y), y))

    def transform(self, X: ndarray) -> ndarray:
        import mne

        with mne.use_log_level("ERROR"):
            return np.asarray(self._standard.transform(self._csp.transform(self._channels.transform(X))))
