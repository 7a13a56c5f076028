"""What every extractor gives: one row per word, window or image, for each layer that was asked for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from brainfm.files import written


@dataclass(frozen=True)
class Features:
    """What a model made of a stimulus: rows `[event, dim]` for each layer, at seconds from the stimulus's start.

    `names` says what each row is where time does not: the file of an image.
    """

    times: Float[ndarray, "event"]
    layers: dict[str, Float[ndarray, "event dim"]]
    names: tuple[str, ...] = ()

    def save(self, path: Path) -> None:
        """Writes them as one .npz, whole or not at all."""
        with written(path) as part, open(part, "wb") as file:
            arrays: dict[str, Any] = {f"layer {name}": values for name, values in self.layers.items()}
            np.savez(file, times=self.times, names=np.array(self.names, dtype=str), **arrays)

    @staticmethod
    def load(path: Path) -> Features:
        """What `save` wrote."""
        with np.load(path, allow_pickle=False) as file:
            layers = {name.removeprefix("layer "): file[name] for name in file.files if name.startswith("layer ")}
            return Features(file["times"], layers, tuple(map(str, file["names"])) if "names" in file.files else ())


class Extractor(ABC):
    """A frozen model of a stimulus. `name` is how its features are called, `facts` all that they depend on but the stimulus."""

    name: str

    @property
    @abstractmethod
    def facts(self) -> dict[str, Any]:
        """Model, weights and settings in plain values: equal facts and an equal stimulus give equal features."""

    @abstractmethod
    def extract(self, stimulus: Any, kept: Path | None = None) -> Features:
        """The features of one stimulus. What is done of it is kept in the folder `kept`, from where a killed run goes on."""


def chosen_layers(asked: Sequence[int | str] | str, n_layers: int) -> list[int]:
    """Numbers of hidden states, 0 being the embeddings; negative ones count from the end.

    >>> chosen_layers("all", 2), chosen_layers([1, -1], 12)
    ([0, 1, 2], [1, 12])
    """
    if asked == "all":
        return list(range(n_layers + 1))
    numbers = [int(layer) for layer in asked]
    wrong = [layer for layer in numbers if not -n_layers - 1 <= layer <= n_layers]
    if wrong:
        raise ValueError(f"layer {wrong[0]} is not there: the model has layers 0 (embeddings) to {n_layers}, or all")
    return [layer % (n_layers + 1) for layer in numbers]


def fingerprint(model: Any) -> str:
    """A short checksum of a torch model's weights: the same file under two names has one, an updated file another."""
    import hashlib

    import torch

    digest = hashlib.sha256()
    for name, value in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(np.asarray(value.detach().cpu().to(torch.float64).sum()).tobytes())
    return digest.hexdigest()[:16]
