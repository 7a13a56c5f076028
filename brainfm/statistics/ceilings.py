"""Noise ceilings: how well any model of the stimulus could do, from repeats, split halves or other subjects."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from numpy import ndarray

FLOOR = 0.25  # a ceiling below it is too uncertain to divide by


def from_repeats(
    responses: Float[ndarray, "repeat time channel"], normalised: bool = True
) -> Float[ndarray, "channel"]:
    """The highest correlation that a model can reach with the mean of the repeats (CC_max).

    Each repeat is z-scored first, unless `normalised` is False. NaN where the signal power is not positive.
    Reference: Schoppe et al. 2016, Measuring the performance of neural models, equations 4 to 8,
    https://doi.org/10.3389/fncom.2016.00010
    """
    n = len(responses)
    if n < 2:
        raise ValueError(
            f"a ceiling from repeats needs at least 2 of them, got {n}: take split halves or other subjects"
        )
    responses = responses.astype(np.float64)
    if normalised:
        responses = _z(responses, axis=1)
    total = responses.var(axis=1, ddof=1).mean(0)
    signal = (n * responses.mean(0).var(axis=0, ddof=1) - total) / (n - 1)
    noise_share = np.divide(total, signal, out=np.full_like(signal, np.nan), where=signal > 0) - 1
    return 1 / np.sqrt(1 + np.maximum(noise_share, 0) / n)


def signal_power_explained(
    truth: Float[ndarray, "time channel"],
    said: Float[ndarray, "time channel"],
    responses: Float[ndarray, "repeat time channel"],
) -> Float[ndarray, "channel"]:
    """The share of the repeats' signal power that a prediction of their mean explains (SPE); NaN without signal power."""
    responses = _z(responses.astype(np.float64), axis=1)
    n, total = len(responses), responses.var(axis=1, ddof=1).mean(0)
    signal = (n * responses.mean(0).var(axis=0, ddof=1) - total) / (n - 1)
    explained = truth.var(axis=0, ddof=1) - (truth - said).var(axis=0, ddof=1)
    return np.divide(explained, signal, out=np.full_like(signal, np.nan), where=signal > 0)


def from_halves(
    responses: Float[ndarray, "repeat time channel"], n_splits: int = 100, seed: int = 0
) -> Float[ndarray, "channel"]:
    """The ceiling for the mean of all repeats: the root of the split-half reliability after Spearman and Brown.

    The mean over random halves; an odd repeat is left out of each. NaN where the halves do not correlate.
    """
    n = len(responses)
    if n < 2:
        raise ValueError(f"split halves need at least 2 repeats, got {n}: take other subjects")
    rng, half, found = np.random.default_rng(seed), n // 2, []
    for _ in range(n_splits if n > 2 else 1):
        order = rng.permutation(n)
        found.append(_r(responses[order[:half]].mean(0), responses[order[half : 2 * half]].mean(0)))
    r = np.mean(found, axis=0)
    reliability = longer(r, n / half)
    return np.sqrt(np.where(reliability > 0, reliability, np.nan))


def from_others(
    responses: Float[ndarray, "subject time channel"], corrected: bool = True
) -> Float[ndarray, "subject channel"]:
    """How well the others predict each subject: its correlation with their mean.

    A stimulus model shares with the others what all subjects share, so this bounds it from below where they are few;
    `corrected` divides by the root of their mean's reliability, which is what infinitely many others would tell. NaN
    where the others do not correlate with each other, or are fewer than two.
    """
    n = len(responses)
    if n < 2:
        raise ValueError("a ceiling from other subjects needs at least 2 subjects with the same stimulus")
    z = _z(responses.astype(np.float64), axis=1)
    total = z.sum(0)
    raw = np.stack([_r(one, total - one) for one in z])
    if not corrected:
        return raw
    return np.clip(raw / np.sqrt(_reliability_of_others(z)), -1, 1)


def longer(r: ndarray, factor: float) -> Float[ndarray, "..."]:
    """The reliability of a measurement `factor` times as long (Spearman and Brown 1910).

    >>> longer(np.array([0.5]), 2.0).round(3)
    array([0.667])
    """
    return factor * r / (1 + (factor - 1) * r)


def normalised(r: Float[ndarray, "... channel"], ceiling: Float[ndarray, "... channel"]) -> ndarray:
    """Correlation over its ceiling, which is taken as at least FLOOR, and as FLOOR where it is unknown."""
    return r / np.maximum(np.nan_to_num(ceiling, nan=0.0), FLOOR)


def _reliability_of_others(z: Float[ndarray, "subject time channel"]) -> Float[ndarray, "subject channel"]:
    """The reliability of the mean of all but one, from their mean pairwise correlation."""
    n, total = len(z), z.sum(0)
    found = []
    for one in z:
        # the variance of a sum of m z-scored series is m + m (m - 1) r
        variance, m = (total - one).var(axis=0), n - 1
        r = (variance - m) / (m * (m - 1)) if m > 1 else np.full(z.shape[2], np.nan)
        found.append(np.where(r > 0, longer(np.maximum(r, 1e-12), float(m)), np.nan))
    return np.stack(found)


def _z(values: ndarray, axis: int) -> ndarray:
    deviation = values.std(axis=axis, keepdims=True)
    centred = values - values.mean(axis=axis, keepdims=True)
    return np.divide(centred, deviation, out=np.full_like(centred, np.nan), where=deviation > 0)


def _r(a: Float[ndarray, "time channel"], b: Float[ndarray, "time channel"]) -> Float[ndarray, "channel"]:
    return (_z(a.astype(np.float64), 0) * _z(b.astype(np.float64), 0)).mean(0)
