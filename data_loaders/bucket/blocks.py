"""Blocks: the stretches of a file that are downloaded, verified and cached whole, and how requests for them are joined."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

# part of the store's format: checksums are made of stretches of this length; a bucket serves 4 MiB about as fast as more
BLOCK = 1 << 22
# bytes of a sha256
DIGEST = 32
# near enough: a request costs what a connection sends in the meantime
_GAP = 1 << 18
# the longest request: smaller ones would wait longer than they read, larger ones leave connections idle
_MOST = BLOCK


@dataclass(frozen=True)
class Block:
    """Bytes [start, stop) of a file, and their checksum, which is also their name in the cache.

    `file_size` is what the catalog says of the file, 0 where it says nothing.
    """

    file: str
    start: int
    stop: int
    sha256: str
    file_size: int = 0

    @property
    def size(self) -> int:
        """Bytes of the block."""
        return self.stop - self.start


def rows_per_block(row_bytes: int) -> int:
    """Whole samples in a block, so that a window reads whole samples of each.

    >>> rows_per_block(256), rows_per_block(5_000_000)
    (16384, 1)
    """
    return max(1, BLOCK // max(1, row_bytes))


def joined(blocks: Iterable[Block]) -> list[list[Block]]:
    """Blocks that one request reads: of one file, near each other, not too long together.

    >>> near = [Block("a", 0, 10, ""), Block("a", 10, 20, ""), Block("b", 20, 30, "")]
    >>> [len(group) for group in joined(near)]
    [2, 1]
    """
    groups: list[list[Block]] = []
    for block in sorted(blocks, key=lambda block: (block.file, block.start)):
        if groups and _near(groups[-1], block):
            groups[-1].append(block)
        else:
            groups.append([block])
    return groups


def _near(group: Sequence[Block], block: Block) -> bool:
    first, last = group[0], group[-1]
    return block.file == last.file and block.start - last.stop <= _GAP and block.stop - first.start <= _MOST


def pieces(start: int, stop: int) -> Iterator[tuple[int, int]]:
    """The ranges in which a stretch longer than a request is read."""
    for low in range(start, stop, _MOST):
        yield low, min(low + _MOST, stop)
