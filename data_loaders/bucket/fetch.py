"""Fetches blocks into the cache: many at once, near ones in one request, each block once per machine, wrong bytes never."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from typing import Any

from data_loaders.bucket.blocks import Block, joined, pieces
from data_loaders.bucket.cache import Cache
from data_loaders.bucket.transport import Transport
from data_loaders.bucket.workers import workers


class Fetcher:
    """Brings blocks of one store into the cache.

    Raises ValueError where bytes are not those that were written, also when they are asked for again; `explain` says why.
    """

    def __init__(
        self, transport: Transport, cache: Cache, connections: int = 16, explain: Callable[[Block], str] | None = None
    ) -> None:
        self.transport, self.cache, self.connections = transport, cache, connections
        self._explain = explain or (lambda block: "upload the store again")
        self._under_way: dict[str, Future[Any]] = {}
        self._lock = threading.Lock()

    def fetch(self, blocks: Iterable[Block]) -> None:
        """Returns when all blocks have been in the cache."""
        for future in self._started(blocks, urgent=True):
            future.result()

    def prefetch(self, blocks: Iterable[Block]) -> None:
        """Starts what is not there, and does not wait. Asks for no more than keeps the connections busy for a while."""
        with self._lock:
            room = 4 * self.connections - len(self._under_way)
        if room > 0:
            missing = (block for block in blocks if not self.cache.has(block))
            self._started([block for block, _ in zip(missing, range(room), strict=False)], urgent=False)

    def _started(self, blocks: Iterable[Block], urgent: bool) -> list[Future[Any]]:
        """What has to be waited for: requests that are under way, and those made now."""
        missing = {block.sha256: block for block in blocks if not self.cache.has(block)}
        with self._lock:
            futures = {self._under_way[sha] for sha in missing if sha in self._under_way}
            for group in joined(block for sha, block in missing.items() if sha not in self._under_way):
                future = self._submit(group, urgent)
                self._under_way |= {block.sha256: future for block in group}
                futures.add(future)
        return list(futures)

    def _submit(self, group: list[Block], urgent: bool) -> Future[Any]:
        def task() -> None:
            try:
                self._fetch(group)
            finally:
                with self._lock:
                    for block in group:
                        self._under_way.pop(block.sha256, None)

        return workers(self.connections).submit(task, urgent)

    def _fetch(self, group: Sequence[Block]) -> None:
        with self.cache.locked(group):
            # another process may have brought some of them while this one waited
            for run in joined(block for block in group if not self.cache.has(block)):
                if len(run) == 1:
                    self._long(run[0])
                else:
                    self._short(run)

    def _short(self, run: Sequence[Block]) -> None:
        first = run[0].start
        body = memoryview(self.transport.read(run[0].file, first, run[-1].stop))
        for block in run:
            content = body[block.start - first : block.stop - first]
            if block.holds(content):
                with self.cache.writing(block) as number:
                    _write(number, content)
            else:
                self._long(block)

    def _long(self, block: Block) -> None:
        """A block of its own, in as many requests as it takes; a second time where the first gave wrong bytes."""
        if not (self._copied(block) or self._copied(block)):
            raise ValueError(
                f"{self.transport.address(block.file)}: bytes {block.start:,} to {block.stop:,} are not those in the catalog, "
                f"asked for again: {self._explain(block)}"
            )

    def _copied(self, block: Block) -> bool:
        digest = hashlib.sha256()
        try:
            with self.cache.writing(block) as number:
                for start, stop in pieces(block):
                    content = self.transport.read(block.file, start, stop)
                    digest.update(content)
                    _write(number, content)
                if digest.hexdigest() != block.sha256:
                    raise _WrongError
        except _WrongError:
            return False
        return True


class _WrongError(Exception):
    """Keeps wrong bytes from being renamed to their place."""


def _write(number: int, content: bytes | memoryview) -> None:
    while len(content):
        content = memoryview(content)[os.write(number, content) :]
