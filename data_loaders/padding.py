"""How much of a batch is padding where recordings differ in channels or rate: counted, and told before training."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from data_loaders.samplers.base import Sampler
from data_loaders.samplers.bucketed import Bucketed
from data_loaders.stream import Stream

_STEPS = 64


def share(sampler: Sampler, sizes: dict[str, Int[ndarray, "run"]], steps: int = _STEPS) -> float:
    """The share of padding in the first batches of an order; `sizes` are n_chans and n_times of each run of windows."""
    real, all_of_it = 0, 0
    for step in range(steps):
        run, _ = sampler.windows.locate(sampler.draw(step).reshape(-1))
        n_chans, n_times = sizes["n_chans"][run], sizes["n_times"][run]
        real += int((n_chans * n_times).sum())
        all_of_it += len(run) * int(n_chans.max(initial=0)) * int(n_times.max(initial=0))
    return 1 - real / max(1, all_of_it)


def tell(stream: Stream, sizes: dict[str, Int[ndarray, "run"]]) -> None:
    """Prints the share of padding where windows differ in size, and what bucketing would make of it."""
    several = len(np.unique(np.stack([sizes["n_chans"], sizes["n_times"]]), axis=1).T)
    if several < 2 or not sizes["n_times"].any():
        return
    order = stream.order
    low, high = sizes["n_chans"].min(), sizes["n_chans"].max()
    told = f"padding: windows have {several} sizes ({low} to {high} channels); {share(order, sizes):.0%} of a batch is padding"
    if not isinstance(order, Bucketed) and order.n_views == 1:
        bucketed = Bucketed().bind(order.windows, order.batch_size, order.seed, _OfRuns(sizes))
        told += f", with the sampler Bucketed it would be {share(bucketed, sizes):.0%}"
    print(told)


class _OfRuns:
    """Sizes as samplers ask for labels."""

    def __init__(self, sizes: dict[str, Int[ndarray, "run"]]) -> None:
        self.of_runs = sizes.get

    def __call__(self, name: str) -> ndarray:
        raise AssertionError("sizes are known for whole runs")
