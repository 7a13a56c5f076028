"""Chance by permutation: what the same predictions score when the truth is dealt out anew."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray
from scipy import fft

from brainfm.statistics.metrics import Features

_CELLS = 8_000_000  # permuted samples held at once: 64 MB


def p_value(observed: float, null: Float[ndarray, "permutation"]) -> float:
    """One-sided: the share of permutations that do as well or better, the observed order counted among them."""
    null = null[~np.isnan(null)]
    if np.isnan(observed) or len(null) == 0:
        return float("nan")
    # a permutation that gives the observed labels back must count as a tie in spite of rounding
    return float((1 + (null >= observed - 1e-9).sum()) / (1 + len(null)))


def shuffled(
    features: Features, unit: Int[ndarray, "sample"], n: int, rng: np.random.Generator
) -> Float[ndarray, "permutation feature part"]:
    """The sums of `Features.cross` after the units' truths are dealt among the units.

    A unit is what can be exchanged: one window, or all windows of a trial, recording or subject that share one label.
    """
    _, first, inverse = np.unique(unit, return_index=True, return_inverse=True)
    truth, prediction = features.truth[first], np.zeros((len(first), *features.prediction.shape[1:]))
    np.add.at(prediction, inverse, features.prediction)
    crossed = np.empty((n, *prediction.shape[1:]))
    for start in range(0, n, step := max(1, _CELLS // len(first))):
        rows = slice(start, min(n, start + step))
        order = rng.permuted(np.tile(np.arange(len(first)), (rows.stop - start, 1)), axis=1)
        for f in range(truth.shape[1]):
            crossed[rows, f] = truth[order, f] @ prediction[:, f]
    return crossed


def shifted(
    features: Features, piece: Int[ndarray, "sample"], n: int, rng: np.random.Generator
) -> Float[ndarray, "permutation feature part"]:
    """The sums of `Features.cross` after the truth of each piece is turned by a random shift, its end joined to its start.

    Samples are in order of time within a piece (one recording), so neighbours stay neighbours: slow signals keep their
    autocorrelation, which shuffling would destroy and call skill.
    """
    crossed = np.zeros((n, *features.prediction.shape[1:]))
    for name in np.unique(piece):
        member = piece == name
        truth = fft.rfft(features.truth[member], axis=0)[..., None]
        prediction = fft.rfft(features.prediction[member], axis=0)
        every_shift = fft.irfft(truth * prediction.conj(), n=int(member.sum()), axis=0)  # [shift, feature, part]
        crossed += every_shift[rng.integers(len(every_shift), size=n)]
    return crossed


def slow(codes: Int[ndarray, "sample"], piece: Int[ndarray, "sample"]) -> bool:
    """Whether neighbours in time share their label far more often than shuffled labels would (four standard errors)."""
    inside = piece[1:] == piece[:-1]
    if inside.sum() < 10:
        return False
    same = (codes[1:] == codes[:-1])[inside].mean()
    share = np.bincount(codes) / len(codes)
    expected = (share**2).sum()
    return bool(same - expected > 4 * np.sqrt(expected * (1 - expected) / inside.sum()))
