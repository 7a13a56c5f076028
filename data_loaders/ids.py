"""One integer for a sample of a recording: the permanent id of the window that is anchored there, and a key to sort by."""

from __future__ import annotations

from jaxtyping import Int
from numpy import ndarray

# recording * 2**40 + anchor: the same in every split, order and rank, and short enough for int64
_ANCHOR_BITS = 40


def encode_id(recording: Int[ndarray, "item"], anchor: Int[ndarray, "item"]) -> Int[ndarray, "item"]:
    """The permanent id of the window at an anchor of a recording: `recording * 2**40 + anchor`."""
    return (recording << _ANCHOR_BITS) + anchor


def decode_id(window_id: Int[ndarray, "item"]) -> tuple[Int[ndarray, "item"], Int[ndarray, "item"]]:
    """The recording and the anchor that a window id stands for.

    >>> import numpy as np
    >>> decode_id(np.array([(3 << 40) + 250]))
    (array([3]), array([250]))
    """
    return window_id >> _ANCHOR_BITS, window_id & ((1 << _ANCHOR_BITS) - 1)
