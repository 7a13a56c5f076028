"""Which channels tell the classes apart, as the training part has it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from data_loaders.transforms.base import Example, SignalInfo, Transform, fitted_on, pack, unpack


class SelectChannels(Transform):
    """Keeps the `k` channels whose mean or log-variance tells the training labels apart best (F statistic), in their order.

    Numeric labels with a fractional part are regressed on, all others are classes.
    """

    fitted: ClassVar[bool] = True

    def __init__(self, k: int = 16) -> None:
        if k < 1:
            raise ValueError(f"k is {k}, expected at least one channel")
        self.k = k

    def fit(self, windows: Sequence[Example]) -> Transform:
        names = windows[0].info.ch_names
        differ = [window for window in windows if window.info.ch_names != names]
        if differ:
            odd = sorted(set(names) ^ set(differ[0].info.ch_names))[:8]
            raise ValueError(
                f"{len(differ)} of {len(windows)} training windows have other channels ({odd}): put Pick before SelectChannels"
            )
        scores = _scores(
            np.stack([window.signal for window in windows]), np.array([window.label for window in windows])
        )
        kept = np.sort(np.argsort(-scores, kind="stable")[: self.k])
        return self.with_state(
            {"names": pack([names[c] for c in kept]), "scores": scores[kept], "fitted_on": fitted_on(windows)}
        )

    def plan(self, info: SignalInfo) -> SignalInfo:
        return info.pick(self._kept(info))

    def step(
        self, chunk: Float[ndarray, "channel time"], info: SignalInfo, carry: Any = None
    ) -> tuple[Float[ndarray, "out_channel time"], Any]:
        return chunk[self._kept(info)], None

    def _kept(self, info: SignalInfo) -> list[int]:
        names = unpack(self.learned("names"))
        absent = [name for name in names if name not in info.ch_names]
        if absent:
            raise ValueError(
                f"channels {absent[:8]} were chosen in training and are not among {list(info.ch_names[:8])}: pick common channels first"
            )
        return [info.ch_names.index(name) for name in names]


def _scores(signal: Float[ndarray, "window channel time"], labels: ndarray) -> Float[ndarray, "channel"]:
    """The larger F statistic of each channel's mean and log-variance."""
    from sklearn.feature_selection import f_classif, f_regression

    values = signal.astype(np.float64)
    means, variances = values.mean(2), values.var(2)
    # a floor for flat channels, far below any other
    features = np.concatenate([means, np.log(variances + 1e-12 * variances.mean() + np.finfo(float).tiny)], axis=1)
    spread = features.std(0) > 0
    labels = labels.reshape(len(labels), -1)[:, 0]
    regressed = labels.dtype.kind == "f" and bool((labels % 1 != 0).any())
    scores = np.zeros(features.shape[1])
    scores[spread] = (f_regression if regressed else f_classif)(features[:, spread], labels)[0]
    return np.nan_to_num(scores).reshape(2, -1).max(0)
