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
    left = deque(items)
    n_helpers = min(len(left) - 1, spare())
    helpers = [_pool(os.getpid()).submit(_drain, work, left) for _ in range(n_helpers)]
    try:
        _drain(work, left)
    finally:
        # nobody may still write to memory that the caller gives away; who has not begun need not
        begun = [helper for helper in helpers if not helper.cancel()]
        errors = [error for helper in begun if (error := helper.exception()) is not None]
    if errors:
        raise errors[0]


def _drain(work: Callable[[Any], None], left: deque[Any]) -> None:
    try:
        while True:
            # taking from a deque is atomic: no item is done twice
            try:
                item = left.popleft()
            except IndexError:
                return
            work(item)
    except BaseException:
        left.clear()
        raise


def spare() -> int:
    """Threads beside the one that asks: no more than this process has cores."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(_MOST, cores - 1)


@cache
def _pool(process: int) -> ThreadPoolExecutor:
    # a forked process has none of its parent's threads
    return ThreadPoolExecutor(_MOST, "hand")
