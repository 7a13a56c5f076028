"""Where the cells of a grid are computed: here, in local processes, or as jobs of SLURM through submitit."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any, TypeVar

from brainfm.grammar.nearest import RecipeError

Task = TypeVar("Task")
Finished = tuple[Task, str | None]
_SECONDS_BETWEEN_LOOKS = 1.0


class Executor(ABC):
    """Runs a function on each task and gives each back, with what went wrong, when it has finished."""

    @abstractmethod
    def run(self, work: Callable[[Task], str | None], tasks: Sequence[Task]) -> Iterator[Finished[Task]]:
        """In whatever order they finish."""


class Here(Executor):
    """One task after another, in this process."""

    def run(self, work: Callable[[Task], str | None], tasks: Sequence[Task]) -> Iterator[Finished[Task]]:
        for task in tasks:
            yield task, work(task)


class Processes(Executor):
    """So many processes of this machine, which end with this one even if it is killed."""

    def __init__(self, n: int) -> None:
        self.n = n

    def run(self, work: Callable[[Task], str | None], tasks: Sequence[Task]) -> Iterator[Finished[Task]]:
        # spawn: a fork of a process in which torch has started threads can hang
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(self.n, context, initializer=_end_with, initargs=(os.getpid(),)) as pool:
            waiting = {pool.submit(work, task): task for task in tasks}
            for future in as_completed(waiting):
                error = future.exception()
                yield waiting[future], f"{type(error).__name__}: {error}" if error else future.result()


class Submitit(Executor):
    """Jobs of SLURM; of this machine where `cluster` is local, of this process where it is debug (to try things out).

    `resources` are submitit's: timeout_min, cpus_per_task, gpus_per_node, mem_gb, slurm_partition, slurm_array_parallelism.
    Jobs go on when the process that sent them ends; started again, it waits for those that still run.
    """

    def __init__(self, folder: Path, cluster: str, resources: Mapping[str, Any]) -> None:
        self.folder, self.cluster, self.resources = folder, cluster, resources

    def run(self, work: Callable[[Task], str | None], tasks: Sequence[Task]) -> Iterator[Finished[Task]]:
        jobs = list(zip(tasks, self._submitted(work, tasks), strict=True))
        while jobs:
            finished = [(task, job) for task, job in jobs if job.done()]
            jobs = [pair for pair in jobs if pair not in finished]
            for task, job in finished:
                error = job.exception()
                yield task, str(error) if error else job.result()
            if jobs and not finished:
                time.sleep(_SECONDS_BETWEEN_LOOKS)

    def _submitted(self, work: Callable[[Task], str | None], tasks: Sequence[Task]) -> Sequence[Any]:
        try:
            import submitit
        except ModuleNotFoundError:
            raise RecipeError("jobs need submitit: `pip install brainfm[slurm]`") from None
        try:
            executor = submitit.AutoExecutor(folder=self.folder / "%j", cluster=self.cluster)
            executor.update_parameters(**{"timeout_min": 24 * 60, **self.resources})
        except (RuntimeError, NameError) as error:
            raise RecipeError(f"--executor {self.cluster}: {error}") from error
        return executor.map_array(work, list(tasks))


def _end_with(parent: int) -> None:
    """Watches the parent: a pool whose owner was killed would wait for tasks for ever."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_SECONDS_BETWEEN_LOOKS)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
