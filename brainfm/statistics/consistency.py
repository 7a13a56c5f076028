"""Consistency: how well one embedding is a linear map of another, of the same samples or of samples with the same labels.

Reference: Schneider, Lee and Mathis 2023, https://doi.org/10.1038/s41586-023-06031-6, Methods, "consistency". The published scores
are fitted and scored on the same data, so that flexible embeddings of noise look consistent; here they are
cross-validated unless `in_sample` is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import permutations

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

_BINS, _BLOCKS, _REACH = 99, 5, 2


def between_runs(
    embeddings: Sequence[Float[ndarray, "sample dim"]], in_sample: bool = False
) -> Float[ndarray, "run run"]:
    """R2 of each embedding (row) predicting each other one (column) of the same samples; NaN on the diagonal.

    Cross-validated over five blocks of time.
    """
    lengths = {len(one) for one in embeddings}
    if len(embeddings) < 2 or len(lengths) > 1:
        raise ValueError(
            f"{len(embeddings)} embeddings of {sorted(lengths)} samples: give two or more of the same samples, in one order"
        )
    n = lengths.pop()
    block = np.zeros(n, int) if in_sample else np.arange(n) * _BLOCKS // n
    return _pairs(len(embeddings), lambda i, j: _r2(embeddings[i], embeddings[j], block))


def between_datasets(
    embeddings: Sequence[Float[ndarray, "sample dim"]],
    labels: Sequence[Float[ndarray, "sample"]],
    in_sample: bool = False,
    n_bins: int = _BINS,
) -> Float[ndarray, "dataset dataset"]:
    """The same for sessions or animals: embeddings are averaged in bins of a common label, and the means compared.

    A bin mean is brought back to unit length. An empty bin takes the samples of its neighbours, up to two bins away.
    Cross-validated, the map is fitted on every other block of ten blocks of time of each session and scored on the
    rest, then the other way round, over the bins that all have. Raises ValueError where a session has a gap in its
    labels that neighbours do not fill (`in_sample`), or too few bins are common.
    """
    low, high = min(map(np.min, labels)), max(map(np.max, labels))
    edges = np.linspace(low, high, n_bins + 1)
    halves = [
        np.zeros(len(one), int) if in_sample else np.arange(len(one)) * 2 * _BLOCKS // len(one) % 2 for one in labels
    ]
    means = [
        [_binned(one[half == side], of[half == side], edges, whole=in_sample) for side in np.unique(half)]
        for one, of, half in zip(embeddings, labels, halves, strict=True)
    ]
    return _pairs(len(means), lambda i, j: _across(means[i], means[j]))


def _across(source: list[ndarray], target: list[ndarray]) -> float:
    """R2 of the bin means of one half by the map fitted on the other; of all, where there is one."""
    common = np.isfinite([*source, *target]).all(axis=(0, 2))
    if common.sum() < 2 * (source[0].shape[1] + 1):
        raise ValueError(
            f"only {common.sum()} bins of the label are common: take fewer bins (n_bins), or labels that overlap"
        )
    scores = []
    for side in range(len(source)):
        other = (side + 1) % len(source)
        predicted = _fitted(source[other][common], target[other][common], source[side][common])
        scores.append(_score(predicted, target[side][common]))
    return float(np.mean(scores))


def _pairs(n: int, score: Callable[[int, int], float]) -> Float[ndarray, "one other"]:
    found = np.full((n, n), np.nan)
    for i, j in permutations(range(n), 2):
        found[i, j] = score(i, j)
    return found


def _r2(source: ndarray, target: ndarray, block: Int[ndarray, "sample"]) -> float:
    """R2, averaged over the dimensions, of least squares from source to target, blocks held out in turn."""
    predicted = np.empty_like(target, dtype=float)
    for one in np.unique(block):
        held = block == one
        known = held if held.all() else ~held
        predicted[held] = _fitted(source[known], target[known], source[held])
    return _score(predicted, target)


def _score(predicted: ndarray, target: ndarray) -> float:
    residual, spread = np.square(target - predicted).sum(0), np.square(target - target.mean(0)).sum(0)
    return float(np.mean(1 - residual / np.maximum(spread, 1e-300)))


def _fitted(x: ndarray, y: ndarray, new: ndarray) -> ndarray:
    weights, *_ = np.linalg.lstsq(np.column_stack([x, np.ones(len(x))]), y, rcond=None)
    return np.column_stack([new, np.ones(len(new))]) @ weights


def _binned(
    embedding: ndarray, label: Float[ndarray, "sample"], edges: ndarray, whole: bool
) -> Float[ndarray, "bin dim"]:
    """The mean direction in each bin; NaN, or with `whole` an error, where a bin and its neighbours are empty."""
    # half-open bins, as published: the largest label of all lies in none
    code, n_bins = np.digitize(label, edges) - 1, len(edges) - 1
    means = np.full((n_bins, embedding.shape[1]), np.nan)
    for one in range(n_bins):
        reach = next((r for r in range(_REACH + 1) if (np.abs(code - one) <= r).any()), None)
        if reach is None and whole:
            raise ValueError(
                f"no sample has a label within {_REACH} bins of bin {one + 1} of {n_bins}: take fewer bins (n_bins), or labels without gaps"
            )
        if reach is not None:
            means[one] = embedding[np.abs(code - one) <= reach].mean(0)
    return means / np.linalg.norm(means, axis=1, keepdims=True)
