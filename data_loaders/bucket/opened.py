"""Blocks that a process has open: as many as descriptors allow, and none that the cache has given up."""

from __future__ import annotations

import os
import resource
import threading
from collections import OrderedDict
from contextlib import suppress

from data_loaders.bucket.blocks import Block
from data_loaders.bucket.cache import Cache
from data_loaders.reads import Opened

# blocks: a part of what the system allows, 4 GB at most
_MOST = min(1024, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 4)


class OpenBlocks:
    """Openeds of blocks in the cache, the last used kept open. Thread-safe."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._open: OrderedDict[str, Opened] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, block: Block) -> Opened | None:
        """The block, verified when it entered the cache; None where it is not there."""
        known = self._open.get(block.sha256)
        if known is not None:
            # no lock, which the readers of every window would wait for; closed by another thread meanwhile, it stays open here
            with suppress(KeyError):
                self._open.move_to_end(block.sha256)
            return known
        number = self._cache.open(block)
        return None if number is None else self._keep(block, Opened(str(self._cache.path(block.sha256)), number))

    def has(self, block: Block) -> bool:
        """True where the block is open."""
        return block.sha256 in self._open

    def let_go(self) -> None:
        """Closes what was evicted, so that its bytes are given back to the disk."""
        with self._lock:
            gone = [name for name, file in self._open.items() if not os.fstat(file.number).st_nlink]
            for name in gone:
                del self._open[name]

    def _keep(self, block: Block, file: Opened) -> Opened:
        with self._lock:
            kept = self._open.setdefault(block.sha256, file)
            while len(self._open) > _MOST:
                self._open.popitem(last=False)
        return kept
