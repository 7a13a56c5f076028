"""The stream: steps to batches, gathered ahead by threads, resumable to the batch."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import count, islice
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from numpy import ndarray

from data_loaders.announced import Announced
from data_loaders.contracts import Batch
from data_loaders.samplers.base import Sampler


class Stream:
    """Iterates over the batches of one rank. A passing stream (`once`) ends; a training stream is endless.

    With `shared`, the ranks are those of torch.distributed, and each reads its own part of every batch. All take as many
    steps, because they wait for each other at each: windows at the end that would not go round join the batch before.

    `len` is the number of batches in one pass over the windows. The state is the number of batches handed out, so a
    checkpoint taken at any moment continues with the very next one, also with another number of threads. Memory is
    bounded by `depth` batches ahead of the one in use; without threads, a batch is gathered when it is asked for.
    One thread keeps ahead of a model; more wait for each other, unless it is a slow disk that they wait for.
    """

    def __init__(
        self,
        gather: Callable[..., Batch],
        sampler: Sampler,
        *,
        once: bool,
        rank: int = 0,
        world_size: int = 1,
        shared: bool = False,
        threads: int = 1,
        depth: int = 4,
    ) -> None:
        if threads < 0 or depth < 1:
            raise ValueError(f"threads is {threads} and depth is {depth}, expected at least 0 and 1")
        # not called sampler: Lightning would take it for one of torch
        self.gather, self.order, self.once = gather, sampler, once
        self._rank, self._world_size, self._shared, self._threads, self._depth = (
            rank,
            world_size,
            shared,
            threads,
            depth,
        )
        self._step, self._loaded = 0, 0
        _check_goes_round(sampler, once, world_size)

    def __len__(self) -> int:
        n_windows = len(self.order.windows)
        if not self.once:
            return max(1, n_windows // self.order.batch_size)
        n_steps = -(-n_windows // self.order.batch_size)
        return n_steps - self._joins(n_steps - 1)

    def __iter__(self) -> Iterator[Batch]:
        if self.once:
            # Lightning leaves a pass after its last batch, before the stream knows that it is over: the next one is whole
            self._step, self._loaded = self._loaded, 0
        for batch in self._gathered():
            # counted before it is handed out: a state saved while the batch is in use names the next one
            self._step += 1
            yield batch
            # held no longer than the caller holds it: its memory, which is still near, takes the next batch
            del batch
        self._step = 0

    def _gathered(self) -> Iterator[Batch]:
        steps = iter(range(self._step, len(self)) if self.once else count(self._step))
        if self._threads == 0:
            return map(self.batch, steps)
        return self._ahead(steps)

    def _ahead(self, steps: Iterator[int]) -> Iterator[Batch]:
        """Batches in order, while threads gather the next `depth`."""
        # a gather that reads from far away says so
        far = getattr(self.gather, "looks_ahead", False)
        batch = self._announced().batch if far else self.batch
        with ThreadPoolExecutor(self._threads, "gather", initializer=_same_device()) as pool:
            ahead = deque(pool.submit(batch, step) for step in islice(steps, self._depth))
            try:
                while ahead:
                    done = ahead.popleft().result()
                    ahead.extend(pool.submit(batch, step) for step in islice(steps, 1))
                    yield done
                    del done
            finally:
                for future in ahead:
                    future.cancel()

    def _announced(self) -> Announced:
        return Announced(self.gather, self._share, self._step, len(self) if self.once else None)

    def batch(self, step: int) -> Batch:
        """This rank's part of the batch of a step."""
        return self.gather(*self._share(step))

    def _share(self, step: int) -> tuple[Int[ndarray, "view item"], Int[ndarray, "item"]]:
        """This rank's windows of a step, and where they stand in the global order."""
        rank, world_size = self._place()
        steps = [step, step + 1] if self.once and self._joins(step + 1) else [step]
        drawn = np.concatenate([self.order.draw(one) for one in steps], axis=1)
        share = slice(rank * drawn.shape[1] // world_size, (rank + 1) * drawn.shape[1] // world_size)
        place = step * self.order.batch_size + np.arange(drawn.shape[1])
        return drawn[:, share], place[share]

    def _joins(self, step: int) -> bool:
        """True where a step has windows, but not one for every rank."""
        return 0 < self.order.n_items(step) < self._place()[1]

    def _place(self) -> tuple[int, int]:
        """This process among the ranks; a shared stream asks when it is read, since ranks begin after it was made."""
        if not self._shared or not (torch.distributed.is_available() and torch.distributed.is_initialized()):
            return self._rank, self._world_size
        world_size = torch.distributed.get_world_size()
        _check_goes_round(self.order, self.once, world_size)
        return torch.distributed.get_rank(), world_size

    def state_dict(self) -> dict[str, Any]:
        """The number of batches handed out, and what must be the same for it to mean the same windows."""
        return {"step": self._step, "batch_size": self.order.batch_size, "seed": self.order.seed}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continues after the batches that a saved stream handed out."""
        for name in ("batch_size", "seed"):
            if state[name] != getattr(self.order, name):
                raise ValueError(
                    f"the saved stream had {name} {state[name]}, this one has {getattr(self.order, name)}: set it back to resume"
                )
        self._step = self._loaded = state["step"]


def _same_device() -> Callable[[], None] | None:
    """Puts a thread on this thread's GPU: page-locked memory would else be asked of the first one."""
    if not torch.cuda.is_initialized():
        return None
    return partial(torch.cuda.set_device, torch.cuda.current_device())


def _check_goes_round(order: Sampler, once: bool, world_size: int) -> None:
    whole = world_size * order.group
    if (not once or order.group > 1) and order.batch_size % whole:
        groups = f" with {order.group} windows each that stay together" if order.group > 1 else ""
        raise ValueError(
            f"batch_size {order.batch_size} is the batch over all ranks and does not divide by the {world_size} ranks{groups}: "
            f"make it {-(-order.batch_size // whole) * whole}"
        )
    if once and 0 < order.n_items(0) < world_size:
        raise ValueError(
            f"a part of {len(order.windows)} windows, in batches of {order.batch_size}, has not one for each of {world_size} "
            f"ranks: train on at most {order.n_items(0)} devices, or hold out more"
        )
