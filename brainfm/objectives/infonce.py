"""InfoNCE: windows that belong together lie near each other, all others apart."""

from __future__ import annotations

from torch import Tensor

from brainfm.encoders.base import Encoder
from brainfm.nn.contrastive import Similarity, Temperature
from brainfm.objectives.base import ContrastiveObjective, told
from data_loaders.contracts import Batch


class InfoNCE(ContrastiveObjective):
    """The contrastive loss of CEBRA on three views: reference, positive, negative.

    `similarity` is `cosine` or `euclidean` (minus the squared distance; for encoders without unit vectors). A
    temperature that learns stays above `min_temperature`. `bits` in the log is the goodness of fit, 0 at chance.
    Negatives come from all ranks, so that the loss does not depend on their number.
    Reference: Schneider, Lee and Mathis 2023, https://doi.org/10.1038/s41586-023-06031-6. Patented: see the notices.
    """

    def __init__(
        self,
        encoder: Encoder,
        similarity: Similarity = "cosine",
        temperature: float = 1.0,
        learn_temperature: bool = False,
        min_temperature: float = 0.1,
        dim: int | None = None,
    ) -> None:
        super().__init__(encoder, similarity, Temperature(temperature, learn_temperature, min_temperature), dim)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        reference, positive, negative = self.views(batch, 3)
        found = self.contrast(reference, positive, negative)
        return {"loss": found.total, **told(found)}
