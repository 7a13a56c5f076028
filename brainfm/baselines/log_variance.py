"""Log-variance + LDA: how strong each channel is, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from brainfm.baselines.base import LinearProbe, discriminant_heads, waves_only


class LogVariance(LinearProbe):
    """Linear discriminant analysis on the logarithm of each channel's variance over the window."""

    name = "log-variance + LDA"
    chosen = "nothing to choose (Ledoit-Wolf shrinkage)"

    def suits(self, facts: Mapping[str, Any]) -> str | None:
        return waves_only(facts)

    def features(self, facts: Mapping[str, Any]) -> Any:
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import FunctionTransformer, StandardScaler

        return make_pipeline(FunctionTransformer(log_variance), StandardScaler())

    def heads(self, n_classes: int) -> dict[str, Any]:
        return discriminant_heads(n_classes)


def log_variance(X: Float[ndarray, "batch channel time"]) -> Float[ndarray, "batch channel"]:
    """The logarithm of each channel's variance; a flat channel counts as the smallest number float32 can hold."""
    return np.log(np.maximum(X.var(axis=2, dtype=np.float64), np.finfo(np.float32).tiny))
