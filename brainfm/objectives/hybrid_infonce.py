"""InfoNCE by behaviour and by time at once, on overlapping parts of one embedding."""

from __future__ import annotations

from torch import Tensor

from brainfm.encoders.base import Encoder
from brainfm.nn.contrastive import Similarity, Temperature
from brainfm.objectives.base import ContrastiveObjective, told
from data_loaders.contracts import Batch


class HybridInfoNCE(ContrastiveObjective):
    """Two InfoNCE terms added on four views (sampler Hybrid): behaviour on the first `behaviour_dims`, time on all.

    The part is not normalised anew. `bits` is the goodness of fit of the term by behaviour, `time_bits` of that by time.
    Reference: Schneider, Lee and Mathis 2023, Methods, "CEBRA-Hybrid". Patented: see the notices.
    """

    def __init__(
        self,
        encoder: Encoder,
        behaviour_dims: int = 3,
        similarity: Similarity = "cosine",
        temperature: float = 1.0,
        learn_temperature: bool = False,
        min_temperature: float = 0.1,
        dim: int | None = None,
    ) -> None:
        super().__init__(encoder, similarity, Temperature(temperature, learn_temperature, min_temperature), dim)
        if not 1 <= behaviour_dims <= self.dim:
            raise ValueError(f"behaviour_dims is {behaviour_dims}, expected 1 to {self.dim}, the size of the embedding")
        self.behaviour_dims = behaviour_dims

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        reference, behaviour, negative, time = self.views(batch, 4)
        part = [view[:, : self.behaviour_dims] for view in (reference, behaviour, negative)]
        by_behaviour, by_time = self.contrast(*part), self.contrast(reference, time, negative)
        beside = told(by_behaviour) | {"time_bits": told(by_time)["bits"]}
        return {"loss": by_behaviour.total + by_time.total, **beside}
