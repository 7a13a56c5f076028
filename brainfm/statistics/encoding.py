"""Scores per voxel, sensor or region: correlation, R2 and |r| r, and what the same predictions score by chance."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray
from scipy import stats

_CELLS = 16_000_000  # permuted sums held at once: 64 MB


def correlation(
    truth: Float[ndarray, "time channel"], said: Float[ndarray, "time channel"]
) -> Float[ndarray, "channel"]:
    """Pearson r of each channel; NaN where the truth never changes, zero where only the prediction does not."""
    y, p = _centred(truth), _centred(said)
    spread = np.sqrt((y**2).sum(0) * (p**2).sum(0))
    r = np.divide((y * p).sum(0), spread, out=np.zeros(y.shape[1]), where=spread > 0)
    return np.where((y**2).sum(0) > 0, np.clip(r, -1, 1), np.nan)


def r2(truth: Float[ndarray, "time channel"], said: Float[ndarray, "time channel"]) -> Float[ndarray, "channel"]:
    """One minus the squared error over the variance of the truth itself; NaN where that is zero."""
    spread = (_centred(truth) ** 2).sum(0)
    error = ((truth.astype(np.float64) - said) ** 2).sum(0)
    return 1 - np.divide(error, spread, out=np.full(len(spread), np.nan), where=spread > 0)


def signed_square(r: ndarray) -> ndarray:
    """|r| r: unlike the square it does not turn what is predicted backwards into skill (Antonello et al. 2023)."""
    return np.abs(r) * r


def block_null(
    truth: Float[ndarray, "time channel"],
    said: Float[ndarray, "time channel"],
    run: Int[ndarray, "time"],
    block: int,
    n: int = 1000,
    seed: int = 0,
) -> Float[ndarray, "permutation channel"]:
    """Correlations after blocks of `block` samples of the truth are dealt anew: slow signals keep their autocorrelation.

    Blocks lie within runs, the rest of a run is left out. Raises ValueError where there are fewer than 6 blocks, which
    is too few orders for a p value.
    """
    starts = [
        member[k * block]
        for member in (np.flatnonzero(run == one) for one in np.unique(run))
        for k in range(len(member) // block)
    ]
    if len(starts) < 6:
        raise ValueError(
            f"{len(truth)} samples make {len(starts)} blocks of {block}: shorten the block, 6 are the fewest"
        )
    rows = np.add.outer(np.array(starts), np.arange(block))  # [block, sample]
    rng = np.random.default_rng(seed)
    orders = np.stack([rng.permutation(len(starts)) for _ in range(n)])  # [permutation, block]
    null = np.empty((n, truth.shape[1]), np.float32)
    step = max(1, _CELLS // max(len(starts) ** 2, n))
    for low in range(0, truth.shape[1], step):
        at = slice(low, low + step)
        null[:, at] = _permuted(truth[:, at][rows], said[:, at][rows], orders)
    return null


def p_values(
    observed: Float[ndarray, "channel"], null: Float[ndarray, "permutation channel"]
) -> Float[ndarray, "channel"]:
    """One-sided, the observed order counted among the permutations; NaN where there is no score."""
    p = (1 + (null >= observed - 1e-6).sum(0)) / (1 + len(null))
    return np.where(np.isnan(observed), np.nan, p)


def fdr(p: Float[ndarray, "channel"]) -> Float[ndarray, "channel"]:
    """False discovery rates (Benjamini and Hochberg 1995); NaN stays."""
    q, known = np.full(len(p), np.nan), ~np.isnan(p)
    if known.any():
        q[known] = stats.false_discovery_control(p[known])
    return q


def partition(scores: Mapping[frozenset[str], ndarray]) -> dict[frozenset[str], ndarray]:
    """What each set of feature spaces explains and no other: R2 of every union in, unique and shared parts out.

    `scores` has the R2 of each union of spaces but the empty one. The part of {a} is unique to it, that of {a, b} is
    shared by these two alone; all parts sum to the R2 of everything. Parts can be negative: R2 is out of sample.
    """
    spaces = frozenset().union(*scores)
    missing = [set(u) for u in _subsets(spaces) if u not in scores]
    if missing:
        raise ValueError(f"the R2 of {missing[0]} is missing: score each union of {sorted(spaces)}")
    nothing = {frozenset[str](): np.zeros_like(next(iter(scores.values())))}
    known = {**scores, **nothing}
    return {
        part: sum(
            ((-1) ** (len(t) + 1) * known[t | (spaces - part)] for t in [*_subsets(part), frozenset()]), np.zeros(())
        )
        for part in _subsets(spaces)
    }


def _subsets(spaces: frozenset[str]) -> list[frozenset[str]]:
    names = sorted(spaces)
    return [frozenset(some) for size in range(1, len(names) + 1) for some in combinations(names, size)]


def _permuted(
    truth: Float[ndarray, "block sample channel"],
    said: Float[ndarray, "block sample channel"],
    orders: Int[ndarray, "permutation block"],
) -> Float[ndarray, "permutation channel"]:
    y, p = (part - part.mean((0, 1), dtype=np.float64) for part in (truth, said))
    spread = np.sqrt((y**2).sum((0, 1)) * (p**2).sum((0, 1)))
    products = np.einsum("asv,bsv->abv", y, p, optimize=True)  # [block of truth, block of prediction, channel]
    total = sum(products[orders[:, b], b] for b in range(orders.shape[1]))
    return np.divide(total, spread, out=np.zeros_like(total), where=spread > 0)


def _centred(values: ndarray) -> Float[ndarray, "time channel"]:
    centred = values.astype(np.float64) - values.mean(0, dtype=np.float64)
    # what rounding leaves of a constant is no variance
    return np.where(np.ptp(values, axis=0) > 0, centred, 0.0)
