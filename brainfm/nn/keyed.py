"""Keyed random numbers: one for each window and place in it, whoever else is in the batch."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor


def uniform(seed: Int[Tensor, "batch"], *index: Int[Tensor, "..."]) -> Float[Tensor, "batch ..."]:
    """A number in [0, 1) for each row's seed and each index (several are broadcast against each other).

    It depends on nothing else: not on the device, the rank, or on how far a batch is padded. The hash is the finaliser of
    SplitMix64 (Steele et al. 2014, section 5), applied key by key; int64 overflows as uint64 does.
    """
    keys = torch.broadcast_tensors(*index)
    mixed = _mixed(seed.reshape(-1, *([1] * keys[0].dim())))
    for key in keys:
        mixed = _mixed(mixed + key * -0x2ECBDABC217D106B - 0x61C8864680B583EB)
    return _shifted(mixed, 40).float() * 2.0**-24


def _mixed(value: Int[Tensor, "..."]) -> Int[Tensor, "..."]:
    value = (value ^ _shifted(value, 30)) * -0x40A7B892E31B1A47
    value = (value ^ _shifted(value, 27)) * -0x6B2FB644ECCEEE15
    return value ^ _shifted(value, 31)


def _shifted(value: Int[Tensor, "..."], bits: int) -> Int[Tensor, "..."]:
    """Shifts right without the sign, as an unsigned number does."""
    return (value >> bits) & ((1 << (64 - bits)) - 1)
