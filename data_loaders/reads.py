"""Reads stretches of open files, each to its place in memory."""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Int, UInt8
from numpy import ndarray


class Opened:
    """A file that closes when nobody reads from it any more."""

    def __init__(self, path: str, number: int) -> None:
        self.path, self.number = path, number

    def __del__(self) -> None:
        os.close(self.number)


@dataclass(frozen=True, eq=False)
class Pieces:
    """Where the bytes of windows lie: piece p holds `n_bytes[p]` bytes of window `window[p]`, those from `within[p]` on.

    It begins at byte `offset[p]` of `files[of[p]]`. Pieces are in the order of their windows; a window has one or several.
    """

    files: Sequence[Opened]
    of: Int[ndarray, "piece"]
    offset: Int[ndarray, "piece"]
    n_bytes: Int[ndarray, "piece"]
    window: Int[ndarray, "piece"]
    within: Int[ndarray, "piece"]

    def read(self, first: int, memory: Sequence[UInt8[ndarray, "_"]]) -> None:
        """Reads windows from `first` on, as many as there are places in memory, each to its own.

        Raises ValueError where a file ends too early, and OSError where it cannot be read.
        """
        windows, pieces = self._listed
        low, high = bisect_left(windows, first), bisect_left(windows, first + len(memory))
        for of, offset, n_bytes, window, within in pieces[low:high]:
            out = memory[window - first]
            _fill(self.files[of], offset, out if len(out) == n_bytes else out[within : within + n_bytes])

    @cached_property
    def _listed(self) -> tuple[list[int], list[tuple[int, ...]]]:
        """The window of each piece, and all that is known of it, as numbers of Python's: read one by one, they are faster."""
        numbers = [each.tolist() for each in (self.of, self.offset, self.n_bytes, self.window, self.within)]
        return numbers[3], list(zip(*numbers, strict=True))


def joined(parts: Sequence[tuple[Int[ndarray, "_"], Pieces]]) -> Pieces:
    """Pieces of several places as those of one batch; beside each part is which of the batch its windows are."""
    window = np.concatenate([windows[pieces.window] for windows, pieces in parts])
    order = np.argsort(window, kind="stable")
    starts = np.cumsum([0, *(len(pieces.files) for _, pieces in parts)]).tolist()
    of = np.concatenate([pieces.of + start for start, (_, pieces) in zip(starts, parts, strict=False)])
    offset, n_bytes, within = (
        np.concatenate([getattr(pieces, name) for _, pieces in parts])[order]
        for name in ("offset", "n_bytes", "within")
    )
    files = [file for _, pieces in parts for file in pieces.files]
    return Pieces(files, of[order], offset, n_bytes, window[order], within)


def _fill(file: Opened, offset: int, out: UInt8[ndarray, "byte"]) -> None:
    done = os.preadv(file.number, [out.data], offset)
    while done < len(out):
        # one call moves at most 2 GiB
        more = os.preadv(file.number, [out[done:].data], offset + done)
        if more == 0:
            raise ValueError(f"{file.path} ends before byte {offset + len(out):,}: run `brainfm prepare` again")
        done += more
