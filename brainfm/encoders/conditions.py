"""Conditions: the class of a window as one token, one column per class, for encoding models of categories."""

from __future__ import annotations

import torch.nn.functional as F

from brainfm.encoders.base import Encoder, one_token
from data_loaders.contracts import Batch, Tokens


class Conditions(Encoder):
    """One-hot `target`, the first of the data's targets where left out. Ridge on it predicts (shrunken) class means.

    The anchor says when a condition was on, and the field of the signal how much later the response is looked at.
    """

    channels = "any"

    def __init__(self, n_outputs: int, target: str | None = None) -> None:
        super().__init__()
        self.dim, self.target = n_outputs, target

    def forward(self, batch: Batch) -> Tokens:
        name = self.target or next(iter(batch.targets), "")
        if name not in batch.targets or batch.targets[name].is_floating_point():
            raise ValueError(
                f"there are no classes {name!r} among {sorted(batch.targets)}: add targets: [trial_type] to data"
            )
        return one_token(F.one_hot(batch.targets[name], self.dim).float())
