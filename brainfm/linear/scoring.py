"""Scores of every penalty on held-out rows, from sums: no prediction is formed but once per penalty, and kept nowhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

Scoring = Literal["r2", "correlation", "neg_mse", "signed_root"]
_STRIP = 128  # rows of the triangular factor multiplied at once: what is left of its diagonal is zero


@dataclass(frozen=True)
class Sums:
    """What every score is made of: sums over held-out rows, around the training mean of each target."""

    n: int
    truth: Float[Tensor, "target"]
    truth2: Float[Tensor, "target"]
    predicted: Float[Tensor, "penalty target"]
    predicted2: Float[Tensor, "penalty target"]
    product: Float[Tensor, "penalty target"]

    @property
    def error2(self) -> Float[Tensor, "penalty target"]:
        """The squared error."""
        return self.truth2 - 2 * self.product + self.predicted2


class HeldOut:
    """Rows that were held out, as coordinates in the training part's directions; `factor` is their triangular root."""

    def __init__(self, coordinates: Float[Tensor, "row rank"], dtype: torch.dtype = torch.float32) -> None:
        self.coordinates = coordinates.to(dtype)
        self.total = coordinates.sum(0).to(dtype)
        self.factor = torch.linalg.qr(coordinates, mode="r").R.to(dtype)

    def sums(
        self,
        truth: Float[Tensor, "row target"],
        projected: Float[Tensor, "rank target"],
        shrinkage: Float[Tensor, "penalty rank"],
    ) -> Sums:
        """All sums for targets whose coordinates in training are `projected`, under each penalty's shrinkage."""
        product = shrinkage @ ((self.coordinates.T @ truth) * projected)
        predicted = (shrinkage * self.total) @ projected
        squares = torch.stack([self._squares(shrunk, projected) for shrunk in shrinkage])
        return Sums(len(truth), truth.sum(0), truth.square().sum(0), predicted, squares, product)

    def _squares(self, shrunk: Float[Tensor, "rank"], projected: Float[Tensor, "rank target"]) -> Tensor:
        """The sum of squared predictions: |R d z|^2, where R is triangular."""
        scaled = self.factor * shrunk
        total = projected.new_zeros(projected.shape[1])  # where features never change there is no direction
        for start in range(0, len(scaled), _STRIP):
            strip = scaled[start : start + _STRIP, start:] @ projected[start:]
            total += strip.square_().sum(0)
        return total


def score(sums: Sums, scoring: Scoring) -> Float[Tensor, "penalty target"]:
    """The score of each penalty and target; NaN where the held-out truth never changes.

    `signed_root` is the published sign(R2) sqrt|R2| with R2 = 1 - var(residual) / ((1 + var(y)) / 2), for z-scored targets.
    """
    n = sums.n
    variance = sums.truth2 / n - (sums.truth / n) ** 2
    variance = torch.where(variance > 1e-10 * (sums.truth2 / n), variance, torch.nan)
    if scoring == "neg_mse":
        return torch.where(variance.isnan(), torch.nan, -sums.error2 / n)
    if scoring == "r2":
        return 1 - sums.error2 / n / variance
    if scoring == "correlation":
        spread = sums.predicted2 / n - (sums.predicted / n) ** 2
        shared = sums.product / n - sums.predicted * sums.truth / n**2
        return (shared / (spread.clamp(min=0) * variance).sqrt()).nan_to_num(0.0) + 0 * variance
    residual = sums.error2 / n - ((sums.truth - sums.predicted) / n) ** 2
    r2 = 1 - residual / ((1 + variance) / 2)
    return r2.sign() * r2.abs().sqrt()
