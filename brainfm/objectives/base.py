"""An objective: what is minimised, and what is predicted from the tokens. Heads live here."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from brainfm.encoders.base import Encoder
from brainfm.nn.contrastive import Contrast, Similarity, Temperature, gathered, goodness_of_fit, info_nce
from data_loaders.contracts import Batch


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


def told(contrast: Contrast, n_negatives: int) -> dict[str, Tensor]:
    """What is logged beside a loss: its parts, and the goodness of fit in bits."""
    parts = {"align": contrast.align, "uniform": contrast.uniform}
    return parts | {"bits": goodness_of_fit(contrast.total.detach(), n_negatives)}


_SAMPLERS = {3: "data_loaders.samplers.time_delta.TimeDelta", 4: "data_loaders.samplers.hybrid.Hybrid"}
