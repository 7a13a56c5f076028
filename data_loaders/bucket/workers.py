"""Threads that carry out downloads: what a reader waits for goes before what is only expected."""

from __future__ import annotations

import itertools
import os
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import cache
from typing import Any

_Item = tuple[int, int, Callable[[], Any], "Future[Any]"]


class Workers:
    """As many threads as connections. They are daemons: a program that ends does not wait for what it expected to read."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._queue: queue.PriorityQueue[_Item] = queue.PriorityQueue()
        self._order = itertools.count()
        for index in range(count):
            threading.Thread(target=self._work, name=f"bucket-{index}", daemon=True).start()

    def submit(self, task: Callable[[], Any], urgent: bool) -> Future[Any]:
        """Runs the task in a thread as soon as one is free."""
        future: Future[Any] = Future()
        self._queue.put((0 if urgent else 1, next(self._order), task, future))
        return future

    def _work(self) -> None:
        while True:
            _, _, task, future = self._queue.get()
            try:
                future.set_result(task())
            except BaseException as error:
                future.set_exception(error)
            # a thread that waits for the next one keeps no store open
            del task, future


def workers(count: int) -> Workers:
    """The threads of this process, shared by all its stores."""
    return _made(count, os.getpid())


@cache
def _made(count: int, process: int) -> Workers:
    # a forked process has none of its parent's threads
    return Workers(count)
