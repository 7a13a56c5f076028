"""Spikes as counts in bins, and what is told of them without regard to when: rates, variability, who fires with whom."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from data_loaders.contracts import Events


def counted(events: Events, n_units: int, n_bins: int, start: float, bin: float) -> Float[ndarray, "window unit bin"]:
    """How often each unit fired in each bin after `start`."""
    mask = events.mask.cpu().numpy()
    row = np.nonzero(mask)[0]
    unit, time = events.channel.cpu().numpy()[mask], events.time.cpu().numpy()[mask].astype(np.float64)
    place = np.clip(np.floor((time - start) / bin + 1e-4).astype(int), 0, n_bins - 1)
    flat = np.bincount((row * n_units + unit) * n_bins + place, minlength=len(mask) * n_units * n_bins)
    return flat.reshape(len(mask), n_units, n_bins).astype(np.float32)


@dataclass(frozen=True)
class Firing:
    """What each unit does: spikes per bin, variance over mean (Fano factor; NaN of a silent unit), correlations of pairs."""

    rate: Float[ndarray, "unit"]
    fano: Float[ndarray, "unit"]
    pairs: Float[ndarray, "pair"]

    @classmethod
    def of(cls, counts: Float[ndarray, "window unit bin"]) -> Firing:
        """Over all bins of all windows; pairs are those above the diagonal, NaN where one of the two never changes.

        >>> Firing.of(np.array([[[0.0, 2.0], [1.0, 1.0]]])).fano
        array([1., 0.])
        """
        flat = counts.transpose(1, 0, 2).reshape(counts.shape[1], -1).astype(np.float64)
        mean, variance = flat.mean(1), flat.var(1)
        fano = np.divide(variance, mean, out=np.full_like(mean, np.nan), where=mean > 0)
        deviation = np.sqrt(np.where(variance > 0, variance, np.nan))
        together = np.cov(flat, bias=True) / np.outer(deviation, deviation)
        return cls(mean, fano, np.atleast_2d(together)[np.triu_indices(len(flat), 1)])


def agreement(one: Float[ndarray, "item"], other: Float[ndarray, "item"]) -> float:
    """Pearson's r over what both know; NaN where fewer than three are known to both or one is constant.

    >>> agreement(np.array([1.0, 2.0, 3.0, np.nan]), np.array([2.0, 4.0, 6.0, 1.0]))
    1.0
    """
    known = np.isfinite(one) & np.isfinite(other)
    if known.sum() < 3 or np.ptp(one[known]) < 1e-12 or np.ptp(other[known]) < 1e-12:
        return float("nan")
    return round(float(np.corrcoef(one[known], other[known])[0, 1]), 12)
