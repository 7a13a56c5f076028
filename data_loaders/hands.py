"""Hands: threads that help whoever gathers a batch, because one core cannot copy as fast as memory can give."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

# with more, memory is what one waits for
_MOST = 3


def each(work: Callable[[Any], None], items: Iterable[Any]) -> None:
    """Calls `work` on every item, in this thread and in others that are free; returns, or raises, when all have ended."""
    task = _Task(work, deque(items))
    helpers = [_pool(os.getpid()).submit(task.help) for _ in range(min(len(task.left) - 1, spare()))]
    try:
        task.help()
    finally:
        # nobody may still write to memory that the caller gives away; who has not begun need not
        begun = [helper for helper in helpers if not helper.cancel()]
        errors = [error for helper in begun if (error := helper.exception()) is not None]
        # a thread that comes too late to help finds the task without its memory
        del task.work
    if errors:
        raise errors[0]


class _Task:
    """Items that several threads take from. Taking from a deque is atomic: no item is done twice."""

    def __init__(self, work: Callable[[Any], None], left: deque[Any]) -> None:
        self.work, self.left = work, left

    def help(self) -> None:
        """Works until nothing is left, or until anybody fails."""
        try:
            while self.left:
                try:
                    item = self.left.popleft()
                except IndexError:
                    return
                self.work(item)
        except BaseException:
            self.left.clear()
            raise


def spare() -> int:
    """Threads beside the one that asks: no more than this process has cores."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(_MOST, cores - 1)


@cache
def _pool(process: int) -> ThreadPoolExecutor:
    # a forked process has none of its parent's threads
    return ThreadPoolExecutor(_MOST, "hand")
