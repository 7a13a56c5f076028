"""The stream: steps to batches, gathered ahead by threads, resumable to the batch."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import torch

from data_loaders.contracts import Batch
from data_loaders.samplers.base import Sampler


class Stream:
    """Iterates over the batches of one rank. A passing stream (`once`) ends; a training stream is endless.

    `len` is the number of batches in one pass over the windows. The state is the number of batches handed out, so a
    checkpoint taken at any moment continues with the very next one, also with another number of threads. Memory is
    bounded by `depth` batches.
    """

    def __init__(
        self,
        gather: Callable[..., Batch],
        sampler: Sampler,
        *,
        once: bool,
        rank: int = 0,
        world_size: int = 1,
        threads: int = 2,
        depth: int = 4,
    ) -> None:
        if sampler.batch_size % world_size:
            raise ValueError(
                f"batch_size {sampler.batch_size} is the batch over all ranks and does not divide by the {world_size} ranks: "
                f"make it {-(-sampler.batch_size // world_size) * world_size}"
            )
        self.gather, self.sampler, self.once = gather, sampler, once
        self._rank, self._world_size, self._threads, self._depth = rank, world_size, threads, depth
        self._step = 0

    def __len__(self) -> int:
        n_windows = len(self.sampler.windows)
        return -(-n_windows // self.sampler.batch_size) if self.once else max(1, n_windows // self.sampler.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        with ThreadPoolExecutor(self._threads, thread_name_prefix="gather") as pool:
            ahead: deque[Future[Batch]] = deque()
            planned = self._step
            try:
                while True:
                    while len(ahead) < self._depth and not self._over(planned):
                        ahead.append(pool.submit(self.batch, planned))
                        planned += 1
                    if not ahead:
                        break
                    batch = ahead.popleft().result()
                    # counted before it is handed out: a state saved while the batch is in use names the next one
                    self._step += 1
                    yield batch
            finally:
                for future in ahead:
                    future.cancel()
        self._step = 0

    def batch(self, step: int) -> Batch:
        """This rank's part of the batch of a step."""
        drawn = self.sampler.draw(step)
        share = slice(
            self._rank * drawn.shape[1] // self._world_size, (self._rank + 1) * drawn.shape[1] // self._world_size
        )
        place = step * self.sampler.batch_size + np.arange(drawn.shape[1])
        return self.gather(drawn[:, share], place[share])

    def state_dict(self) -> dict[str, Any]:
        """The number of batches handed out, and what must be the same for it to mean the same windows."""
        return {"step": self._step, "batch_size": self.sampler.batch_size, "seed": self.sampler.seed}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continues after the batches that a saved stream handed out."""
        for name in ("batch_size", "seed"):
            if state[name] != getattr(self.sampler, name):
                raise ValueError(
                    f"the saved stream had {name} {state[name]}, this one has {getattr(self.sampler, name)}: set it back to resume"
                )
        self._step = state["step"]

    def _over(self, step: int) -> bool:
        return self.once and step >= len(self)


def place() -> tuple[int, int]:
    """This process among the ranks."""
    ready = torch.distributed.is_available() and torch.distributed.is_initialized()
    return (torch.distributed.get_rank(), torch.distributed.get_world_size()) if ready else (0, 1)
