"""Looks over the targets before they are fitted: which rows and columns hold no data, and which never change."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from data_loaders.contracts import Rows


@dataclass(frozen=True)
class Survey:
    """`rows` and `targets` can be fitted; a target that is left out has the value `constant` (NaN where it holds NaN)."""

    rows: Bool[ndarray, "row"]
    targets: Bool[ndarray, "target"]
    constant: Float[ndarray, "target"]


def survey(x: Rows, y: Rows, block: int) -> Survey:
    """Refuses features that are not finite; tells which rows are NaN in every target, and which targets cannot be fitted."""
    _check(x, y)
    empty = np.ones(y.shape[0], bool)
    for _, part in columns(y, block):
        empty &= np.isnan(part).all(1)
    rows, constant = ~empty, np.zeros(y.shape[1])
    targets = np.ones(y.shape[1], bool)
    for at, part in columns(y, block):
        known = part[rows] if empty.any() else part
        broken, still = np.isnan(known).any(0), np.ptp(known, axis=0) == 0
        targets[at], constant[at] = ~(broken | still), np.where(broken, np.nan, known[0])
    _tell(empty, targets, constant)
    return Survey(rows, targets, constant)


def columns(y: Rows, block: int, dtype: str = "float32") -> Iterator[tuple[slice, Float[ndarray, "row target"]]]:
    """Blocks of columns, each read as one slice."""
    for start in range(0, y.shape[1], block):
        at = slice(start, min(start + block, y.shape[1]))
        yield at, np.asarray(y[:, at], dtype=dtype)


def _check(x: Rows, y: Rows) -> None:
    if x.shape[0] != y.shape[0]:
        raise ValueError(
            f"x has {x.shape[0]} rows and y {y.shape[0]}: give one row of features for each row of targets"
        )
    for start in range(0, x.shape[0], 4096):
        # a sum is finite only where every number is, and costs one pass
        wrong = np.flatnonzero(~np.isfinite(np.asarray(x[start : start + 4096]).sum(1, dtype=np.float64)))
        if len(wrong):
            raise ValueError(
                f"features hold NaN or infinity, first in row {start + wrong[0]}: leave those rows out, or mend the features"
            )


def _tell(empty: ndarray, targets: ndarray, constant: ndarray) -> None:
    if empty.all():
        raise ValueError("every row is NaN in all targets: there is nothing to fit")
    if empty.any():
        print(f"ridge: {empty.sum():,} of {len(empty):,} rows are NaN in every target and left out")
    broken = np.isnan(constant).sum()
    if broken:
        print(f"ridge: {broken:,} of {len(targets):,} targets hold NaN and get no weights; their predictions are NaN")
    if still := (~targets).sum() - broken:
        print(
            f"ridge: {still:,} of {len(targets):,} targets never change and get no weights; they are predicted as they are"
        )
