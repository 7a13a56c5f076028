"""Ridge: a linear map from an encoder's tokens to the signal or a target, solved and not trained."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor

from brainfm.encoders.base import Encoder
from brainfm.linear.grouped import ALPHAS, Inner, each_group, fit_standardised
from brainfm.linear.ridge import RidgeOptions
from brainfm.linear.scoring import Scoring
from brainfm.linear.scratch import Scratch
from brainfm.objectives.base import Objective, take_target
from data_loaders.contracts import Batch


class Ridge(Objective):
    """Least squares with a penalty, from the pooled tokens to `target`: `signal` (every channel and sample) or a target.

    `alphas` multiply the squared weights of features of unit variance (the lambda of scikit-learn; with
    `convention: root` they are squared first, as the published encoding models have them). One is chosen for each output,
    or `shared`, on contiguous chunks of the training part with `gap` rows between. With `per: subject` every subject has
    weights of its own. The encoder is not changed: what it gives is written once and read in blocks.
    """

    closed_form = True
    weights: Tensor
    bias: Tensor
    alpha: Tensor
    fitted: Tensor

    def __init__(
        self,
        encoder: Encoder,
        n_chans: int | None = None,
        n_times: int | None = None,
        n_outputs: int | None = None,
        n_subjects: int = 1,
        target: str = "signal",
        per: Literal["subject"] | None = None,
        alphas: list[float] | None = None,
        convention: Literal["penalty", "root"] = "penalty",
        scoring: Scoring = "r2",
        shared: bool = False,
        n_folds: int = 5,
        gap: int = 5,
        chunk: int | None = None,
    ) -> None:
        super().__init__(encoder)
        size = (n_chans or 0) * (n_times or 1) if target == "signal" else n_outputs
        if not size:
            raise ValueError(f"the data have no {target!r}: add it to data.fields (signal) or data.targets")
        grid = list(ALPHAS) if alphas is None else alphas
        grid = [alpha**2 for alpha in grid] if convention == "root" else grid
        self.target, self.per_subject = target, per == "subject"
        self.inner = Inner(grid, n_folds, gap, chunk, RidgeOptions(scoring, shared))
        n_models = n_subjects if self.per_subject else 1
        self.register_buffer("weights", torch.zeros(n_models, encoder.dim, size))
        self.register_buffer("bias", torch.zeros(n_models, size))
        self.register_buffer("alpha", torch.full((n_models, size), torch.nan))
        self.register_buffer("fitted", torch.zeros(n_models, dtype=torch.bool))

    def fit(self, batches: Iterable[Batch]) -> None:
        """Solves for the weights, from all batches of a training part."""
        x, y, ids = Scratch(), Scratch(), []
        for batch in batches:
            x.add(self.features(batch).float().cpu().numpy())
            y.add(self.truth(batch).float().cpu().numpy())
            ids.append(torch.stack([batch.window_id, batch.session_id, self._model(batch)]).cpu().numpy())
        window, run, model = np.concatenate(ids, axis=1)
        order = np.argsort(window, kind="stable")
        self._solve(x.rows(order), y.rows(order), run[order], model[order])

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        return {"loss": F.mse_loss(self._predicted(batch), self.truth(batch).to(self.bias.dtype))}

    def predict(self, batch: Batch) -> dict[str, Tensor]:
        unknown = sorted(set(self._model(batch).tolist()) - set(self.fitted.nonzero()[:, 0].tolist()))
        if unknown and bool(self.fitted.any()):
            raise ValueError(
                f"subject number {unknown[0]} was not in the training part and has no weights: split by time or run, or leave `per` out"
            )
        return {self.target: self._predicted(batch)}

    def features(self, batch: Batch) -> Float[Tensor, "batch dim"]:
        """What the encoder makes of the batch."""
        return self.encoder(batch).pooled()

    def truth(self, batch: Batch) -> Float[Tensor, "batch output"]:
        """What is to be predicted."""
        if self.target != "signal":
            return take_target(batch, self.target).reshape(len(batch), -1)
        assert batch.signal is not None, "a size of the signal was known"
        return batch.signal.flatten(1)

    def _predicted(self, batch: Batch) -> Float[Tensor, "batch output"]:
        features, model = self.features(batch).to(self.weights.dtype), self._model(batch)
        out = torch.empty(len(batch), self.bias.shape[1], device=features.device)
        for one in model.unique().tolist():
            rows = model == one
            out[rows] = features[rows] @ self.weights[one] + self.bias[one]
        return out

    def _model(self, batch: Batch) -> Int[Tensor, "batch"]:
        """Which weights each row has."""
        return batch.subject_id if self.per_subject else torch.zeros_like(batch.subject_id)

    def _solve(self, x: ndarray, y: ndarray, run: Int[ndarray, "row"], model: Int[ndarray, "row"]) -> None:
        for one, rows in each_group(model):
            whole = len(rows) == len(model)
            found = fit_standardised(x if whole else x[rows], y if whole else y[rows], run[rows], self.inner)
            for buffer, values in ((self.weights, found.weights), (self.bias, found.intercept), (self.alpha, found.alpha)):
                buffer[one] = torch.from_numpy(np.asarray(values, dtype=np.float32))
            self.fitted[one] = True
