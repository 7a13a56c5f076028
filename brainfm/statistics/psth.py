"""Peri-stimulus time histograms: mean counts around an event, condition by condition, and how reliable they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from brainfm.statistics.ceilings import longer


@dataclass(frozen=True)
class Trials:
    """Counts around the event of each trial, NaN where nothing was recorded, and each trial's condition."""

    counts: Float[ndarray, "trial unit bin"]
    condition: Int[ndarray, "trial"]

    @classmethod
    def of(
        cls,
        values: Float[ndarray, "row unit"],
        trial: Int[ndarray, "row"],
        place: Int[ndarray, "row"],
        condition: Int[ndarray, "row"],
        n_bins: int,
    ) -> Trials:
        """Sums of the rows that fall into each trial and bin; `place` is the bin, and rows outside are left out."""
        inside = (place >= 0) & (place < n_bins)
        names, trial = np.unique(trial, return_inverse=True)
        cell, n = trial[inside] * n_bins + place[inside], len(names) * n_bins
        sums = [np.bincount(cell, one[inside], n).reshape(-1, n_bins) for one in values.T]
        counts, seen = np.stack(sums, axis=1), np.bincount(cell, minlength=n).reshape(-1, n_bins)
        # a bin of which only a part was recorded is not a bin
        whole = seen == seen.max(initial=1)
        of = np.zeros(len(names), dtype=np.int64)
        of[trial] = condition
        return cls(np.where(whole[:, None], counts, np.nan), of)

    def histogram(self, trials: ndarray | slice = slice(None)) -> Float[ndarray, "unit point"]:
        """The mean over the trials of each condition, conditions one after another; NaN where no trial was recorded."""
        counts, condition = self.counts[trials], self.condition[trials]
        parts = [_mean(counts[condition == one]) for one in np.unique(self.condition)]
        return np.concatenate(parts, axis=1)

    def ceiling(self, n_splits: int = 50, seed: int = 0) -> Float[ndarray, "unit"]:
        """The correlation that the true histogram has with that of all trials, from random halves of each condition's trials.

        The root of the split-half reliability after Spearman and Brown; NaN where the halves do not correlate.
        """
        rng, found = np.random.default_rng(seed), []
        for _ in range(n_splits):
            first = np.zeros(len(self.condition), dtype=bool)
            for one in np.unique(self.condition):
                members = rng.permutation(np.flatnonzero(self.condition == one))
                first[members[: len(members) // 2]] = True
            found.append(correlation(self.histogram(first), self.histogram(~first)))
        reliability = longer(np.nanmean(found, axis=0), 2.0)
        return np.sqrt(np.where(reliability > 0, reliability, np.nan))


def correlation(one: Float[ndarray, "unit point"], other: Float[ndarray, "unit point"]) -> Float[ndarray, "unit"]:
    """Pearson's r of each unit over the points that both know; NaN where one is constant."""
    known = np.isfinite(one) & np.isfinite(other)
    n = np.maximum(known.sum(1, keepdims=True), 1)
    a, b = (np.where(known, values, 0.0) for values in (one, other))
    a, b = (np.where(known, values - values.sum(1, keepdims=True) / n, 0.0) for values in (a, b))
    below = np.sqrt((a**2).sum(1) * (b**2).sum(1))
    return np.divide((a * b).sum(1), below, out=np.full(len(below), np.nan), where=below > 1e-12)


def _mean(counts: Float[ndarray, "trial unit bin"]) -> Float[ndarray, "unit bin"]:
    known = np.isfinite(counts).sum(0)
    return np.divide(np.nansum(counts, axis=0), known, out=np.full(counts.shape[1:], np.nan), where=known > 0)
