"""Fetches blocks into the cache: many at once, near ones in one request, each block once per machine, wrong bytes never."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import closing, suppress
from typing import Any

from data_loaders.bucket.blocks import BLOCK, Block, joined
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

    def prefetch(self, blocks: Sequence[Block]) -> list[Future[Any]]:
        """Starts what is not there, and does not wait; no more than what the cache keeps until it is read."""
        if not blocks:
            return []
        with self._lock:
            room = max(self.connections, self.cache.size // (2 * BLOCK)) - len(self._under_way)
        return self._started(blocks[: max(0, room)], urgent=False)

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
                for block in self._copied(run):
                    self._again(block)

    def _again(self, block: Block) -> None:
        """A second time, and alone, where the first gave wrong bytes."""
        if self._copied([block]):
            raise ValueError(
                f"{self.transport.address(block.file)}: bytes {block.start:,} to {block.stop:,} are not those in the catalog, "
                f"asked for again: {self._explain(block)}"
            )

    def _copied(self, run: Sequence[Block]) -> list[Block]:
        """Reads neighbours in one go into the cache, and gives those whose bytes are wrong."""
        first, last = run[0], run[-1]
        with closing(self.transport.read(first.file, first.start, last.stop)) as parts:
            body = _Body(parts, first.start)
            return [block for block in run if not self._verified(block, body)]

    def _verified(self, block: Block, body: _Body) -> bool:
        """Each part is hashed and written while it is in the nearest cache; nothing stays of wrong ones."""
        digest = hashlib.sha256()
        for _ in body.until(block.start):
            pass
        with suppress(_WrongError), self.cache.writing(block) as number:
            for part in body.until(block.stop):
                digest.update(part)
                _write(number, part)
            if digest.hexdigest() != block.sha256:
                raise _WrongError
            return True
        return False


class _Body:
    """Bytes of a file that come in parts, taken up to one place after the other."""

    def __init__(self, parts: Iterator[bytes], start: int) -> None:
        self._parts, self._at, self._rest = parts, start, memoryview(b"")

    def until(self, stop: int) -> Iterator[memoryview]:
        """The parts that end before byte `stop`."""
        while self._at < stop:
            part = self._rest if len(self._rest) else memoryview(next(self._parts))
            taken, self._rest = part[: stop - self._at], part[stop - self._at :]
            self._at += len(taken)
            yield taken


class _WrongError(Exception):
    """Keeps wrong bytes from being renamed to their place."""


def _write(number: int, content: memoryview) -> None:
    while len(content):
        content = content[os.write(number, content) :]
