"""Banded ridge: every stream of features has a penalty of its own, found by himalaya's random search."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from brainfm.encoders.delays import Delays
from brainfm.linear.chunks import contiguous
from brainfm.linear.grouped import ALPHAS, moments
from brainfm.linear.ridge import RidgeFit
from brainfm.objectives.base import ClosedForm
from data_loaders.contracts import Rows


class BandedRidge(ClosedForm):
    """Ridge in which a few well-known regressors are not shrunk as hard as a thousand features of a language model.

    `n_iter` ways of sharing the penalty among the encoder's streams are drawn (Dirichlet) and the best is kept for each
    output, on contiguous chunks of the training part. Solved between rows where these are fewer than the features. `alpha`
    is the common factor of an output's penalties.
    Reference: Dupre la Tour et al. 2022, https://doi.org/10.1016/j.neuroimage.2022.119728 (himalaya)
    """

    def __init__(
        self,
        encoder: Delays,
        n_chans: int | None = None,
        n_times: int | None = None,
        n_outputs: int | None = None,
        n_subjects: int = 1,
        output: str = "signal",
        per: Literal["subject"] | None = None,
        alphas: list[float] | None = None,
        n_iter: int = 30,
        n_folds: int = 5,
        gap: int = 5,
        seed: int = 0,
    ) -> None:
        super().__init__(encoder, output, n_chans, n_times, n_outputs, n_subjects if per == "subject" else None)
        self.alphas, self.n_iter, self.n_folds, self.gap, self.seed = alphas or list(ALPHAS), n_iter, n_folds, gap, seed
        self.bands = np.cumsum(list(encoder.widths.values()))[:-1].tolist()

    def solve(self, x: Rows, y: Rows, run: Int[ndarray, "row"]) -> RidgeFit:
        rows, target = np.asarray(x[:], dtype=np.float32), np.asarray(y[:], dtype=np.float32)
        mean, gain = moments(rows)
        centre = target.mean(0)
        spaces = np.split((rows - mean) * gain, self.bands, axis=1)
        folds = [tuple(map(np.flatnonzero, pair)) for pair in contiguous(run, self.n_folds, self.gap)]
        weights, alpha, scores = self._searched(spaces, target - centre, folds)
        weights = weights * gain[:, None]
        return RidgeFit(weights, centre - mean @ weights, alpha, scores)

    def _searched(
        self, spaces: list[ndarray], target: ndarray, folds: list[Any]
    ) -> tuple[Float[ndarray, "feature output"], Float[ndarray, "output"], Float[ndarray, "iteration output"]]:
        from himalaya.backend import set_backend
        from himalaya.kernel_ridge import solve_multiple_kernel_ridge_random_search
        from himalaya.ridge import solve_group_ridge_random_search

        set_backend("numpy")
        common = {
            "n_iter": self.n_iter, "alphas": np.array(self.alphas), "cv": folds, "random_state": self.seed,
            "progress_bar": False, "return_weights": True,
        }  # fmt: skip
        if sum(space.shape[1] for space in spaces) <= len(target):
            deltas, weights, scores, *_ = solve_group_ridge_random_search(spaces, target, **common)
            return weights, np.exp(-deltas).min(0), scores
        kernels = np.stack([space @ space.T for space in spaces])
        common["return_weights"] = "dual"
        deltas, dual, scores, *_ = solve_multiple_kernel_ridge_random_search(kernels, target, **common)
        weights = np.concatenate([np.exp(d) * (space.T @ dual) for space, d in zip(spaces, deltas, strict=True)])
        return weights, np.exp(-deltas).min(0), scores
