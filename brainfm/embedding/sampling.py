"""Which sampler fits the labels of a contrastive fit on arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy import ndarray

from data_loaders.samplers.base import ContrastiveSampler, Sampler
from data_loaders.samplers.delta import Delta
from data_loaders.samplers.discrete import Discrete
from data_loaders.samplers.full import Full
from data_loaders.samplers.hybrid import Hybrid
from data_loaders.samplers.mixed import Mixed
from data_loaders.samplers.multi_session import MultiSession
from data_loaders.samplers.multi_session_discrete import MultiSessionDiscrete
from data_loaders.samplers.time import Time
from data_loaders.samplers.time_delta import TimeDelta
from data_loaders.windows import Windows


def sampler_for(settings: Any, windows: Windows, labels: Sequence[ndarray], kinds: Sequence[str]) -> Sampler:
    """The bound sampler for these labels (at the windows' anchors, of the kinds numpy gives them).

    Raises ValueError for labels that `conditional` has no use for, or cannot do without.
    """
    names = [f"{i}" for i in range(len(labels))]
    continuous = [name for name, kind in zip(names, kinds, strict=True) if kind == "f"]
    discrete = [name for name in names if name not in continuous]
    sampler = _chosen(settings, continuous, discrete, n_sessions=len(np.unique(windows.recording)))
    n_windows = len(windows)
    if settings.batch_size is None:
        sampler = Full(sampler)
    elif settings.batch_size > n_windows:
        print(f"batch_size {settings.batch_size} is more than the {n_windows} windows: some stand twice in a batch")
    return sampler.bind(windows, settings.batch_size or n_windows, settings.seed, lambda name: labels[int(name)])


def _chosen(settings: Any, continuous: list[str], discrete: list[str], n_sessions: int) -> ContrastiveSampler:
    offset, compat = float(settings.time_offsets), settings.compat
    if settings.conditional not in ("auto", "time", "time_delta", "delta"):
        raise ValueError(f"conditional is {settings.conditional!r}, expected auto, time, time_delta or delta")
    if settings.conditional in ("time_delta", "delta") and not continuous:
        raise ValueError(f"conditional is {settings.conditional!r}, which needs labels of floats: give them, fit(X, y)")
    if settings.hybrid and (n_sessions > 1 or not continuous or discrete):
        raise ValueError("hybrid needs continuous labels of one session: give those alone, or leave hybrid out")
    if settings.hybrid:
        return Hybrid(continuous, offset)
    if settings.conditional == "time" or not (continuous or discrete):
        return Time(offset, compat)
    if n_sessions > 1:
        return _across(continuous, discrete, offset)
    if continuous and discrete:
        return Mixed(continuous, discrete, offset, compat)
    if discrete:
        return Discrete(discrete, settings.prior, compat)
    return (
        Delta(continuous, settings.delta) if settings.conditional == "delta" else TimeDelta(continuous, offset, compat)
    )


def _across(continuous: list[str], discrete: list[str], offset: float) -> ContrastiveSampler:
    if continuous and discrete:
        raise ValueError("several sessions take either continuous labels or classes: leave one of them out")
    return MultiSessionDiscrete(discrete) if discrete else MultiSession(continuous, offset)
