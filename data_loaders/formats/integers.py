"""Samples block by block, so that memory holds them once, and the integer steps they were stored in, where they were."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

_BLOCK_BYTES = 1 << 23


@dataclass(frozen=True)
class Samples:
    """A signal, and the volts (or tesla) per integer step where int16 gives it back without loss."""

    signal: Float[ndarray, "time channel"]
    gain: Float[ndarray, "channel"] | None = None
    offset: Float[ndarray, "channel"] | None = None


def gathered(
    read: Callable[[int, int], Float[ndarray, "channel some"]],
    n_times: int,
    n_chans: int,
    gain: Float[ndarray, "channel"] | None = None,
    offset: Float[ndarray, "channel"] | None = None,
) -> Samples:
    """Calls `read(start, stop)` for one block after the other and joins them.

    With a gain and an offset the values are kept in float64 and checked to be integers within int16, to a thousandth
    of a step; where they are not, both come back as None and the values as float32.
    """
    whole = (
        gain is not None and offset is not None and bool(np.all(np.isfinite(gain) & (gain != 0) & np.isfinite(offset)))
    )
    # float64: the largest of 2**16 steps would be off by a four-hundredth of a step in float32
    signal = np.empty((n_times, n_chans), dtype=np.float64 if whole else np.float32)
    for start, stop in _blocks(n_times, n_chans):
        block = read(start, stop)
        whole = whole and _integral((block.T - offset) / gain)
        signal[start:stop] = block.T
    if whole:
        return Samples(signal, gain, offset)
    return Samples(signal.astype(np.float32, copy=False))


def _blocks(n_times: int, n_chans: int) -> Iterator[tuple[int, int]]:
    length = max(1, _BLOCK_BYTES // (8 * max(1, n_chans)))
    for start in range(0, n_times, length):
        yield start, min(start + length, n_times)


def _integral(steps: Float[ndarray, "some channel"]) -> bool:
    nearest = np.round(steps)
    inside = bool(np.all((nearest >= -32768) & (nearest <= 32767)))
    return inside and bool(np.all(np.abs(steps - nearest) < 1e-3))
