"""Ridge: a linear map from an encoder's tokens to the signal or a target, solved and not trained."""

from __future__ import annotations

from typing import Literal

from jaxtyping import Int
from numpy import ndarray

from brainfm.encoders.base import Encoder
from brainfm.linear.grouped import ALPHAS, Inner, fit_standardised
from brainfm.linear.ridge import RidgeFit, RidgeOptions
from brainfm.linear.scoring import Scoring
from brainfm.objectives.base import ClosedForm
from data_loaders.contracts import Rows


class Ridge(ClosedForm):
    """Least squares with a penalty, from the pooled tokens to `output`: `signal` (every channel and sample) or a target.

    `alphas` multiply the squared weights of features of unit variance (the lambda of scikit-learn; with
    `convention: root` they are squared first, as the published encoding models have them). One is chosen for each output,
    or `shared`, on contiguous chunks of the training part with `gap` rows between. With `per: subject` every subject has
    weights of its own.
    """

    def __init__(
        self,
        encoder: Encoder,
        n_chans: int | None = None,
        n_times: int | None = None,
        n_outputs: int | None = None,
        n_subjects: int = 1,
        output: str = "signal",
        per: Literal["subject"] | None = None,
        alphas: list[float] | None = None,
        convention: Literal["penalty", "root"] = "penalty",
        scoring: Scoring = "r2",
        shared: bool = False,
        n_folds: int = 5,
        gap: int = 5,
        chunk: int | None = None,
    ) -> None:
        super().__init__(encoder, output, n_chans, n_times, n_outputs, n_subjects if per == "subject" else None)
        grid = list(ALPHAS) if alphas is None else alphas
        grid = [alpha**2 for alpha in grid] if convention == "root" else grid
        self.inner = Inner(grid, n_folds, gap, chunk, RidgeOptions(scoring, shared))

    def solve(self, x: Rows, y: Rows, run: Int[ndarray, "row"]) -> RidgeFit:
        return fit_standardised(x, y, run, self.inner)
