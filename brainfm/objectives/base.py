"""An objective: what is minimised, and what is predicted from the tokens. Heads live here."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn

from brainfm.encoders.base import Encoder
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
