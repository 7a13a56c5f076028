"""Contiguous chunks for cross-validation in time: held out whole, with a gap to what is trained on."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Int
from numpy import ndarray

Pair = tuple[Bool[ndarray, "row"], Bool[ndarray, "row"]]


def contiguous(run: Int[ndarray, "row"], n_folds: int = 5, gap: int = 0, chunk: int | None = None) -> list[Pair]:
    """Training and held-out rows of each fold, as masks. Rows are in order of time, and `run` numbers their runs.

    Each run is cut into `n_folds` stretches; with `chunk` into chunks of that many rows, dealt to the folds in turn. No
    row within `gap` rows of a held-out one of its run is trained on. Raises ValueError where nothing is left.
    """
    fold_of = np.empty(len(run), dtype=np.int64)
    for one in np.unique(run):
        member = np.flatnonzero(run == one)
        place = np.arange(len(member))
        fold_of[member] = place // chunk % n_folds if chunk else place * n_folds // len(member)
    pairs = [(~_near(fold_of == k, run, gap), fold_of == k) for k in range(n_folds)]
    if not all(train.any() and held_out.any() for train, held_out in pairs):
        raise ValueError(
            f"{len(run)} rows in {len(np.unique(run))} runs do not fill {n_folds} folds with a gap of {gap} rows: "
            "lower n_folds, chunk or gap"
        )
    return pairs


def resampled(
    n_rows: int, chunk: int = 20, share: float = 0.25, n_resamples: int = 3, seed: int = 0, gap: int = 0
) -> list[Pair]:
    """The published resampling: whole chunks are drawn, `int(share * n_rows / chunk)` of them held out each time.

    What is left over at the end always stays in training, and chunks ignore runs. Reference: Antonello et al. 2023.
    """
    rng, pairs = np.random.default_rng(seed), []
    for _ in range(n_resamples):
        held_out = np.zeros(n_rows, bool)
        for number in rng.permutation(n_rows // chunk)[: int(share * n_rows / chunk)]:
            held_out[number * chunk : (number + 1) * chunk] = True
        pairs.append((~_near(held_out, np.zeros(n_rows, np.int64), gap), held_out))
    return pairs


def _near(held_out: Bool[ndarray, "row"], run: Int[ndarray, "row"], gap: int) -> Bool[ndarray, "row"]:
    """What is held out, or within `gap` rows of it in the same run."""
    near = held_out.copy()
    for shift in range(1, min(gap, len(run) - 1) + 1):
        same = run[shift:] == run[:-shift]
        near[shift:] |= held_out[:-shift] & same
        near[:-shift] |= held_out[shift:] & same
    return near
