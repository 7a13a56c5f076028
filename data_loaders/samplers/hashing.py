"""Random numbers without state: hashes and permutations keyed by integers, exact for billions of items in O(1) memory."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int, UInt64
from numpy import ndarray

_ROUNDS = 4
_TURNS = ((np.uint64(30), np.uint64(0xBF58476D1CE4E5B9)), (np.uint64(27), np.uint64(0x94D049BB133111EB)))
_LAST = np.uint64(31)


def mix(value: ndarray | int, *keys: int) -> UInt64[ndarray, ...]:
    """A 64-bit hash of each value under the keys (the finaliser of SplitMix64: Steele et al. 2014, section 5)."""
    mixed = np.atleast_1d(np.asarray(value)).astype(np.uint64)
    # in place: orders are drawn at every batch, and fresh memory costs more than the arithmetic
    shifted = np.empty_like(mixed)
    for key in (0, *keys):
        mixed += np.uint64((key * 0xD1342543DE82EF95 + 0x9E3779B97F4A7C15) % 2**64)
        for shift, factor in _TURNS:
            mixed ^= np.right_shift(mixed, shift, out=shifted)
            mixed *= factor
        mixed ^= np.right_shift(mixed, _LAST, out=shifted)
    return mixed


def uniform(value: ndarray | int, *keys: int) -> Float[ndarray, ...]:
    """A number in [0, 1) for each value."""
    return (mix(value, *keys) >> np.uint64(11)) * 2.0**-53


def permute(index: Int[ndarray, "item"], size: int, *keys: int) -> Int[ndarray, "item"]:
    """Where a keyed permutation of range(size) sends each index: a Feistel network, walked until it lands inside.

    Black and Rogaway 2002, "Ciphers with arbitrary finite domains", section 5 (cycle walking).
    """
    half = max(1, (max(size - 1, 1).bit_length() + 1) // 2)
    image = _feistel(index, half, keys)
    while (outside := image >= size).any():
        image[outside] = _feistel(image[outside], half, keys)
    return image


def _feistel(index: Int[ndarray, "item"], half: int, keys: tuple[int, ...]) -> Int[ndarray, "item"]:
    low = np.uint64((1 << half) - 1)
    left, right = index.astype(np.uint64) >> np.uint64(half), index.astype(np.uint64) & low
    for turn in range(_ROUNDS):
        left, right = right, left ^ (mix(right, turn, *keys) & low)
    return ((left << np.uint64(half)) | right).astype(np.int64)
