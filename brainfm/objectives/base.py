"""An objective: what is minimised, and what is predicted from the tokens. Heads live here."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor, nn

from brainfm.encoders.base import Encoder
from brainfm.linear.grouped import each_group
from brainfm.linear.ridge import RidgeFit
from brainfm.linear.scratch import Scratch
from brainfm.nn.contrastive import Contrast, Similarity, Temperature, goodness_of_fit, info_nce
from brainfm.nn.ranks import gathered
from data_loaders.contracts import Batch, Rows


class Objective(nn.Module, ABC):
    """Joins an encoder with a head: a loss to train with, predictions to judge."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder

    @abstractmethod
    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """A scalar under `loss`, which is minimised; others beside it are only logged."""

    @abstractmethod
    def predict(self, batch: Batch) -> dict[str, Tensor]:
        """Per target [batch, output]: probabilities of classes, or values in the target's unit."""


class ClosedForm(Objective, ABC):
    """A linear map from the pooled tokens that is solved, not trained: it never meets a trainer.

    What the encoder gives is written once and read in blocks. With `n_subjects` every subject has weights of its own.
    """

    closed_form = True
    weights: Tensor
    bias: Tensor
    alpha: Tensor
    fitted: Tensor

    def __init__(
        self,
        encoder: Encoder,
        output: str,
        n_chans: int | None,
        n_times: int | None,
        n_outputs: int | None,
        n_subjects: int | None,
    ) -> None:
        super().__init__(encoder)
        size = (n_chans or 0) * (n_times or 1) if output == "signal" else n_outputs
        if not size:
            raise ValueError(f"the data have no {output!r}: add it to data.fields (signal) or data.targets")
        self.output, self.per_subject = output, n_subjects is not None
        n_models, dim = n_subjects or 1, encoder.dim
        self.register_buffer("weights", torch.zeros(n_models, dim, size))
        self.register_buffer("bias", torch.zeros(n_models, size))
        self.register_buffer("alpha", torch.full((n_models, size), torch.nan))
        self.register_buffer("fitted", torch.zeros(n_models, dtype=torch.bool))

    @abstractmethod
    def solve(self, x: Rows, y: Rows, run: Int[ndarray, "row"]) -> RidgeFit:
        """Weights for one model; rows are in order of time within their run (a recording)."""

    def fit(self, batches: Iterable[Batch]) -> None:
        """Solves for the weights, from all batches of a training part."""
        x, y, ids = Scratch(), Scratch(), []
        for batch in batches:
            x.add(self.features(batch).float().cpu().numpy())
            y.add(self.truth(batch).float().cpu().numpy())
            ids.append(torch.stack([batch.window_id, batch.session_id, self._model(batch)]).cpu().numpy())
        window, run, model = np.concatenate(ids, axis=1)
        order = np.argsort(window, kind="stable")
        rows_x, rows_y, run, model = x.rows(order), y.rows(order), run[order], model[order]
        for one, rows in each_group(model):
            whole = len(rows) == len(model)
            found = self.solve(rows_x if whole else rows_x[rows], rows_y if whole else rows_y[rows], run[rows])
            self._keep(one, found)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        return {"loss": F.mse_loss(self._predicted(batch), self.truth(batch).to(self.bias.dtype))}

    def predict(self, batch: Batch) -> dict[str, Tensor]:
        unknown = sorted(set(self._model(batch).tolist()) - set(self.fitted.nonzero()[:, 0].tolist()))
        if unknown and bool(self.fitted.any()):
            raise ValueError(
                f"subject number {unknown[0]} was not in the training part and has no weights: "
                "split by time or run, or leave `per` out"
            )
        return {self.output: self._predicted(batch)}

    def features(self, batch: Batch) -> Float[Tensor, "batch dim"]:
        """What the encoder makes of the batch."""
        return self.encoder(batch).pooled()

    def truth(self, batch: Batch) -> Float[Tensor, "batch output"]:
        """What is to be predicted."""
        if self.output != "signal":
            return take_target(batch, self.output).reshape(len(batch), -1)
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

    def _keep(self, model: int, found: RidgeFit) -> None:
        for buffer, values in ((self.weights, found.weights), (self.bias, found.intercept), (self.alpha, found.alpha)):
            buffer[model] = torch.from_numpy(np.asarray(values, dtype=np.float32))
        self.fitted[model] = True


def take_target(batch: Batch, name: str | None) -> Tensor:
    """The target of that name; without a name the only one."""
    found = batch.targets
    if name is None and len(found) == 1:
        return next(iter(found.values()))
    if name is None or name not in found:
        raise ValueError(
            f"the objective's target is {name!r} and the batch has {sorted(found)}: name one of data.targets as its target"
        )
    return found[name]


class ContrastiveObjective(Objective, ABC):
    """What contrastive objectives share: embeddings of all views in one pass, a temperature, losses that may be `gathered`.

    With cosine similarity embeddings are unit vectors, whatever the encoder; `dim` puts a linear layer behind an encoder
    whose tokens are wider than the embedding should be. `predict` gives the embedding.
    """

    def __init__(
        self, encoder: Encoder, similarity: Similarity, temperature: Temperature, dim: int | None = None
    ) -> None:
        super().__init__(encoder)
        self.similarity: Similarity = similarity
        self.temperature = temperature
        self.head = nn.Identity() if dim is None else nn.Linear(encoder.dim, dim)
        self.dim = encoder.dim if dim is None else dim

    def embed(self, batch: Batch) -> Float[Tensor, "batch dim"]:
        """One vector per window."""
        return self.placed(self.encoder(batch).pooled())

    def placed(self, tokens: Float[Tensor, "*row width"]) -> Float[Tensor, "*row dim"]:
        """Tokens of the encoder, where similarities are taken."""
        features = self.head(tokens)
        return F.normalize(features, dim=-1, eps=1e-12) if self.similarity == "cosine" else features

    def views(self, batch: Batch, n_views: int) -> Sequence[Float[Tensor, "item dim"]]:
        """The embeddings of each view. Raises ValueError where the sampler draws another number."""
        if batch.n_views != n_views:
            raise ValueError(
                f"{type(self).__name__} compares {n_views} views and batches have {batch.n_views}: set data.sampler to one "
                f"that draws {n_views}, such as {_SAMPLERS[n_views]}"
            )
        return self.embed(batch).chunk(n_views)

    def contrast(self, reference: Tensor, positive: Tensor, negative: Tensor) -> Contrast:
        """InfoNCE against the negatives of all ranks."""
        return info_nce(reference, positive, gathered(negative), self.similarity, self.temperature.inverse())

    def predict(self, batch: Batch) -> dict[str, Tensor]:
        return {"embedding": self.embed(batch)}


def told(contrast: Contrast) -> dict[str, Tensor]:
    """What is logged beside a loss: its parts, and the goodness of fit in bits."""
    parts = {"align": contrast.align, "uniform": contrast.uniform}
    return parts | {"bits": goodness_of_fit(contrast.total.detach(), contrast.n_negatives)}


_SAMPLERS = {3: "data_loaders.samplers.time_delta.TimeDelta", 4: "data_loaders.samplers.hybrid.Hybrid"}
