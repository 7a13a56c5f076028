"""Contrastive draws by behaviour within a distance: the positive has a label near the reference's, up to normal noise."""

from __future__ import annotations

from jaxtyping import Int
from numpy import ndarray

from data_loaders.nearest import Nearest
from data_loaders.samplers.base import ContrastiveSampler, Labels, normal, values


class Delta(ContrastiveSampler):
    """Reference and negative are uniform; the positive has the label nearest to `label + N(0, delta^2)`.

    `delta` is in the unit of the labels. Reference: Schneider, Lee and Mathis 2023, Methods.
    """

    def __init__(self, labels: list[str], delta: float = 0.1) -> None:
        if delta <= 0:
            raise ValueError(f"delta is {delta:g}, expected a positive number in the unit of the labels, such as 0.1")
        self.labels, self.delta = labels, delta

    def prepare(self, labels: Labels) -> None:
        self._label = values(labels, self.labels, len(self.windows))
        self._nearest = Nearest(self._label)

    def positive(self, reference: Int[ndarray, "item"], place: Int[ndarray, "item"]) -> Int[ndarray, "item"]:
        noise = normal(place, self._label.shape[1], self.seed, 2)
        return self._nearest.find(self._label[reference] + self.delta * noise, reference)
