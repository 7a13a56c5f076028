"""Windows through a trained model, once and in order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy import ndarray
from torch import Tensor

from brainfm.objectives.base import Objective
from data_loaders.contracts import Batch
from data_loaders.datamodule import Data
from data_loaders.samplers.sequential import Sequential
from data_loaders.stream import Stream
from data_loaders.transforms.base import Transform
from data_loaders.windows import Windows


def predicted(
    objective: Objective, batches: Iterable[Batch], device: torch.device
) -> Iterator[tuple[dict[str, Tensor], Batch]]:
    """Each batch with its predictions, which come back to the processor."""
    objective = objective.to(device).eval()
    for batch in batches:
        with torch.inference_mode():
            prediction = objective.predict(batch.to(device))
        yield {name: value.float().cpu() for name, value in prediction.items()}, batch


def in_order(data: Data, windows: Windows, transforms: Sequence[Transform]) -> Stream:
    """The windows of any data with transforms that were fitted elsewhere."""
    data.transforms = list(transforms)
    sampler = Sequential().bind(windows, data.batch_size, 0, _no_labels)
    return Stream(data.gather(windows), sampler, once=True)


def learned(transforms: Sequence[Transform]) -> dict[str, ndarray]:
    """What the transforms have learned, as `<position>.<name>`: what a checkpoint keeps of them."""
    return {
        f"{i}.{name}": np.asarray(value)
        for i, transform in enumerate(transforms)
        for name, value in transform.state().items()
    }


def relearned(transforms: Sequence[Transform], states: Mapping[str, ndarray]) -> list[Transform]:
    """The same transforms with what a checkpoint kept of them."""
    of = [{k.partition(".")[2]: v for k, v in states.items() if k.startswith(f"{i}.")} for i in range(len(transforms))]
    return [
        transform.with_state(state) if state else transform for transform, state in zip(transforms, of, strict=True)
    ]


def _no_labels(name: str) -> Any:
    raise AssertionError("windows in order need no labels")
