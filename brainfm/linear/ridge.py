"""Ridge regression of any number of targets: one decomposition per fold for all penalties, targets streamed in blocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy import ndarray

from brainfm.linear.chunks import Pair
from brainfm.linear.decomposition import Decomposition, decompose
from brainfm.linear.scoring import HeldOut, Scoring, score
from brainfm.linear.survey import Survey, columns, survey
from data_loaders.contracts import Rows


@dataclass(frozen=True)
class RidgeFit:
    """`weights` and `intercept` predict; `alpha` was chosen for each target (NaN where it has no weights).

    `scores` are those of every penalty, averaged over the folds.
    """

    weights: Float[ndarray, "feature target"]
    intercept: Float[ndarray, "target"]
    alpha: Float[ndarray, "target"]
    scores: Float[ndarray, "alpha target"]

    def predict(self, x: Rows) -> Float[ndarray, "row target"]:
        """The targets of other rows."""
        return np.asarray(x[:], dtype=self.weights.dtype) @ self.weights + self.intercept


@dataclass(frozen=True)
class RidgeOptions:
    """`scoring` chooses among penalties, for each target apart or, with `shared`, by the mean over targets.

    `intercept` leaves the means out of the penalty. Targets are read `block` columns at a time. `dtype` is that of
    products with targets; whatever depends on the features alone is done in float64.
    """

    scoring: Scoring = "r2"
    shared: bool = False
    intercept: bool = True
    block: int = 4096
    device: str = "cpu"
    dtype: Literal["float32", "float64"] = "float32"

    def decompose(self, x: Rows, keep: Bool[ndarray, "row"]) -> Decomposition:
        """The decomposition of the kept rows, as these options want it."""
        return decompose(x, keep, self.intercept, torch.device(self.device), getattr(torch, self.dtype))


def fit_ridge(
    x: Rows,
    y: Rows,
    alphas: Sequence[float] | ndarray,
    pairs: Sequence[Pair] = (),
    options: RidgeOptions | None = None,
) -> RidgeFit:
    """Minimises |y - x w - b|^2 + alpha |w|^2 (the penalty of scikit-learn and himalaya), alpha chosen on `pairs`.

    Pairs are masks of training and held-out rows; one alpha alone needs none. Everything that depends on x is done once
    per pair: cost is n p min(n, p) + n r T + A r^2 T / 2 a pair, for n rows, p features of rank r, T targets and A alphas.
    Measured growth and memory: docs/benchmarks.md.
    Rows that are NaN in every target, and targets that never change or hold NaN, are left out with a printed line; a
    choice at the edge of the grid is told. Raises ValueError where features are not finite.

    >>> x = np.array([[0.0], [1.0], [2.0]])
    >>> fit_ridge(x, 3 * x + 1, [1e-9]).predict(np.array([[4.0]])).round(3)
    array([[13.]], dtype=float32)
    """
    options = options or RidgeOptions()
    grid = _grid(alphas, pairs)
    found = survey(x, y, options.block)
    scores = np.full((len(grid), y.shape[1]), np.nan, np.float32)
    if len(grid) > 1:
        scores = _mean([_fold(x, y, grid, pair, found, options) for pair in pairs])
    chosen = _chosen(scores, found, options.shared)
    if len(grid) > 1:
        _tell_edges(chosen[found.targets], grid)
    weights, intercept = _solve(x, y, grid[chosen], found, options)
    return RidgeFit(weights, intercept, np.where(found.targets, grid[chosen], np.nan), scores)


def _grid(alphas: Sequence[float] | ndarray, pairs: Sequence[Pair]) -> Float[ndarray, "alpha"]:
    grid = np.asarray(alphas, dtype=np.float64)
    if not len(grid) or not (grid > 0).all():
        raise ValueError(f"alphas are {list(alphas)}: give positive penalties, such as 1, 10, 100")
    if len(grid) > 1 and not len(pairs):
        raise ValueError(f"{len(grid)} alphas and no folds to choose on: give pairs of rows, or a single alpha")
    return grid


def _fold(
    x: Rows, y: Rows, grid: ndarray, pair: Pair, found: Survey, options: RidgeOptions
) -> Float[ndarray, "alpha target"]:
    """Every penalty's score on the held-out rows of one fold."""
    train, held_out = (np.asarray(mask) & found.rows for mask in pair)
    parts = options.decompose(x, train)
    shrinkage = parts.shrinkage(torch.from_numpy(grid).to(parts.mean.device))
    rows = HeldOut(parts.project(x, held_out), parts.left.dtype)
    scores = np.full((len(grid), y.shape[1]), np.nan, np.float32)
    for at, block in columns(y, options.block, options.dtype):
        mean, projected = _projected(parts, block[train], options)
        truth = torch.from_numpy(block[held_out]).to(mean.device) - mean
        scores[:, at] = score(rows.sums(truth, projected, shrinkage), options.scoring).cpu().numpy()
    scores[:, ~found.targets] = np.nan
    return scores


def _projected(
    parts: Decomposition, block: ndarray, options: RidgeOptions
) -> tuple[Float[torch.Tensor, "target"], Float[torch.Tensor, "rank target"]]:
    """The mean of each target over training rows, and the coordinates of the rest."""
    target = torch.from_numpy(block).to(parts.mean.device)
    mean = target.mean(0) if options.intercept else torch.zeros_like(target[0])
    return mean, parts.left.T @ (target - mean)


def _mean(folds: list[ndarray]) -> Float[ndarray, "alpha target"]:
    """Over the folds whose held-out truth changes."""
    known = [~np.isnan(fold) for fold in folds]
    total = sum(np.where(k, fold, 0) for k, fold in zip(known, folds, strict=True))
    count = np.sum(known, axis=0)
    return np.divide(total, count, out=np.full(count.shape, np.nan, np.float32), where=count > 0)


def _chosen(scores: ndarray, found: Survey, shared: bool) -> ndarray:
    """The number of the best penalty for each target; among equals the smallest, and the first where none has a score."""
    known = np.where(np.isnan(scores), -np.inf, scores)
    if not shared:
        return known.argmax(0)
    fitted = scores[:, found.targets & np.isfinite(scores).all(0)]
    best = int(fitted.mean(1, dtype=np.float64).argmax()) if fitted.size else 0
    return np.full(scores.shape[1], best)


def _tell_edges(chosen: ndarray, grid: ndarray) -> None:
    for edge, which, way in ((grid.argmin(), "smallest", "down"), (grid.argmax(), "largest", "up")):
        if n := int((chosen == edge).sum()):
            print(
                f"ridge: {n:,} of {len(chosen):,} targets chose the {which} alpha, {grid[edge]:g}: "
                f"the best may lie outside, extend alphas {way}wards"
            )


def _solve(
    x: Rows, y: Rows, alpha: ndarray, found: Survey, options: RidgeOptions
) -> tuple[Float[ndarray, "feature target"], Float[ndarray, "target"]]:
    """The weights of each target under its own penalty, from all rows."""
    parts = options.decompose(x, found.rows)
    weights, intercept = np.zeros((x.shape[1], y.shape[1]), options.dtype), np.zeros(y.shape[1], options.dtype)
    for at, block in columns(y, options.block, options.dtype):
        mean, projected = _projected(parts, block[found.rows], options)
        distinct, which = np.unique(alpha[at], return_inverse=True)
        shrinkage = parts.shrinkage(torch.from_numpy(distinct).to(mean.device))[which].T  # [rank, target]
        part = parts.right @ (projected * shrinkage)
        weights[:, at] = part.cpu().numpy()
        intercept[at] = (mean - parts.mean.to(part.dtype) @ part).cpu().numpy()
    weights[:, ~found.targets] = 0.0
    intercept[~found.targets] = found.constant[~found.targets]
    return weights, intercept
