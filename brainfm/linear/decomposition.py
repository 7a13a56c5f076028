"""The singular value decomposition of centred rows, from their smaller Gram matrix: one for all penalties and targets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy import ndarray
from torch import Tensor

from data_loaders.contracts import Rows

_BLOCK = 4096  # rows, or columns, of x read at once
# squared singular values below this share of the largest are rounding errors of a float64 Gram matrix
_RANK = 1e-12


@dataclass(frozen=True)
class Decomposition:
    """`x - mean = left * singular @ right.T` on the chosen rows; directions without variance are gone.

    Mean and singular values are in float64, the others in what was asked for.
    """

    mean: Float[Tensor, "feature"]
    left: Float[Tensor, "row rank"]
    singular: Float[Tensor, "rank"]
    right: Float[Tensor, "feature rank"]

    def shrinkage(self, penalties: Float[Tensor, "penalty"]) -> Float[Tensor, "penalty rank"]:
        """What each direction's coordinate in the targets is multiplied by: s / (s^2 + penalty)."""
        return (self.singular / (self.singular**2 + penalties.double()[:, None])).to(self.left.dtype)

    def project(self, x: Rows, keep: Bool[ndarray, "row"]) -> Float[Tensor, "kept rank"]:
        """The coordinates of other rows, in float64."""
        right = self.right.double()
        return torch.cat([(block - self.mean) @ right for block in _rows(x, keep, self.right.device)])


def decompose(
    x: Rows, keep: Bool[ndarray, "row"], centre: bool, device: torch.device, dtype: torch.dtype = torch.float32
) -> Decomposition:
    """Decomposes the kept rows of x, which may lie on disk: it is read in blocks, and sums run in float64.

    The Gram matrix is between features or between rows, whichever are fewer.
    """
    n_rows, n_features = int(keep.sum()), x.shape[1]
    mean = torch.zeros(n_features, dtype=torch.float64, device=device)
    if centre:
        mean += torch.stack([block.sum(0) for block in _rows(x, keep, device)]).sum(0) / n_rows
    solve = _primal if n_features <= n_rows else _dual
    return solve(x, keep, mean, dtype)


def _primal(x: Rows, keep: ndarray, mean: Tensor, dtype: torch.dtype) -> Decomposition:
    gram = torch.zeros(len(mean), len(mean), dtype=torch.float64, device=mean.device)
    for block in _rows(x, keep, mean.device):
        block -= mean
        gram.addmm_(block.T, block)
    singular, right = _eigen(gram)
    scaled = right / singular
    left = torch.cat([((block - mean) @ scaled).to(dtype) for block in _rows(x, keep, mean.device)])
    return Decomposition(mean, left, singular, right.to(dtype))


def _dual(x: Rows, keep: ndarray, mean: Tensor, dtype: torch.dtype) -> Decomposition:
    gram = torch.zeros(int(keep.sum()), int(keep.sum()), dtype=torch.float64, device=mean.device)
    for block, centre in _columns(x, keep, mean):
        block -= centre
        gram.addmm_(block, block.T)
    singular, left = _eigen(gram)
    scaled = left / singular
    right = torch.cat([((block - centre).T @ scaled).to(dtype) for block, centre in _columns(x, keep, mean)])
    return Decomposition(mean, left.to(dtype), singular, right)


def _eigen(gram: Float[Tensor, "n n"]) -> tuple[Float[Tensor, "rank"], Float[Tensor, "n rank"]]:
    """Singular values, the largest first, and the eigenvectors of a Gram matrix."""
    squares, vectors = torch.linalg.eigh(gram)
    known = squares > _RANK * squares[-1].clamp(min=torch.finfo(torch.float64).tiny)
    return squares[known].flip(0).sqrt(), vectors[:, known].flip(1)


def _rows(x: Rows, keep: ndarray, device: torch.device) -> Iterator[Float[Tensor, "row feature"]]:
    for start in range(0, len(keep), _BLOCK):
        chosen = keep[start : start + _BLOCK]
        if chosen.any():
            block = np.asarray(x[start : start + _BLOCK])
            yield torch.from_numpy(block[chosen].astype(np.float64)).to(device)


def _columns(x: Rows, keep: ndarray, mean: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    for start in range(0, x.shape[1], _BLOCK):
        block = np.asarray(x[:, start : start + _BLOCK])
        yield torch.from_numpy(block[keep].astype(np.float64)).to(mean.device), mean[start : start + _BLOCK]
