"""What a batch needs to know of a recording, found once: where its signal lies, and what is done to it on the way."""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from data_loaders import fields
from data_loaders.catalog import Entry
from data_loaders.contracts import Field
from data_loaders.extents import Extent, Place
from data_loaders.store import Store
from data_loaders.transforms.base import SignalInfo, Transform

# values of one channelwise operation: enough to make a call worth while, few enough for the nearest cache
_TILE = 4096


@dataclass(frozen=True, eq=False)
class Plan:
    """One recording under one set of fields and transforms.

    `infos` are its channels before each transform and after the last. `mask` and `positions` are those of the last.
    `first` is the first sample of the signal, counted from the anchor; `n_times` is None where
    windows differ in length.
    `chain` is None where a transform needs to see windows one by one.
    """

    entry: Entry
    recording: int
    infos: tuple[SignalInfo, ...]
    mask: Bool[ndarray, "channel"]
    positions: Float[ndarray, "channel 3"]
    first: int
    n_times: int | None
    extent: Extent | None
    bads: list[int]
    chain: Chain | None

    @property
    def total(self) -> int:
        """Samples of the signal."""
        return self.extent.shape[0] if self.extent else 0

    @cached_property
    def numbers(self) -> tuple[int, int, int]:
        """The first sample from the anchor, the samples of a window (0 where they differ), and those of the signal."""
        return self.first, self.n_times or 0, self.total

    @cached_property
    def as_float(self) -> bool:
        """True where the signal lies on disk as a batch wants it."""
        return self.extent is not None and self.extent.dtype == "<f4"

    @cached_property
    def untouched(self) -> bool:
        """True where a batch takes the signal as it lies on disk."""
        return self.as_float and not self.bads and self.chain is not None and self.chain.is_empty

    @cached_property
    def place(self) -> Place:
        """Where the signal lies."""
        assert self.extent is not None
        return Place(self.entry.file, self.entry.size, self.extent)

    @cached_property
    def n_bytes(self) -> int:
        """Bytes of a window as it lies on disk, 0 where windows differ in length."""
        return (self.n_times or 0) * self.place.extent.row_bytes

    @cached_property
    def treatment(self) -> tuple[Any, ...]:
        """The same for recordings whose windows go the same way from the disk to a batch."""
        operations = () if self.chain is None else self.chain.treatment
        return (self.place.extent.dtype, self.n_times, self.n_chans, tuple(self.bads), operations)

    @cached_property
    def n_chans(self) -> int:
        """Channels that come out."""
        return len(self.infos[-1].ch_names)


class Chain:
    """Gain, offset and channelwise transforms, done in place on time-major rows, each to the bit as `step` would.

    `operations` are ufuncs with one constant per channel. Constants are tiled, so that a call runs over thousands of values.
    """

    def __init__(self, operations: Sequence[tuple[np.ufunc, Float[ndarray, "channel"]]], n_chans: int) -> None:
        self._n_chans, self._repeat = n_chans, max(1, _TILE // max(1, n_chans))
        self._operations = [(ufunc, constant, self._tiled(constant)) for ufunc, constant in operations]

    @property
    def treatment(self) -> tuple[tuple[str, bytes], ...]:
        """What is done with which numbers."""
        return tuple((ufunc.__name__, constant.tobytes()) for ufunc, constant, _ in self._operations)

    @property
    def is_empty(self) -> bool:
        """True where nothing is done."""
        return not self._operations

    def run(self, raw: ndarray, out: Float[ndarray, "time channel"]) -> None:
        """Leaves in `out`, which may be `raw` itself, what the operations make of it. Both are contiguous."""
        if raw is not out:
            np.copyto(out, raw)
        cut = len(out) // self._repeat * self._repeat
        many, rest = out[:cut].reshape(-1, self._repeat * self._n_chans), out[cut:]
        for ufunc, constant, tiled in self._operations:
            if np.ndim(tiled) == 0:
                ufunc(out, tiled, out=out)
                continue
            ufunc(many, tiled, out=many)
            ufunc(rest, constant, out=rest)

    def _tiled(self, constant: Float[ndarray, "channel"]) -> ndarray | np.floating:
        # one number for all channels is faster than the same number many times
        alike = len(constant) > 0 and bool((constant == constant[0]).all())
        return constant[0] if alike else np.tile(constant, self._repeat)


def plan(
    store: Store, recording: int, wanted: Mapping[str, Field], transforms: Sequence[Transform], spikes: bool
) -> Plan:
    """The plan of one recording; `spikes` says that the signal is their counts."""
    entry, field = store.entry(recording), wanted.get("signal")
    infos = [fields.info_of(entry, recording, field)]
    for transform in transforms:
        infos.append(transform.plan(infos[-1]))
    last = infos[-1]
    mask = np.array([name not in last.bads for name in last.ch_names], bool)
    bads = [entry.ch_names.index(name) for name in entry.bads]
    positions = np.asarray(last.ch_positions, np.float32)
    length, first = None, 0
    if field is not None:
        first = round(field.start * entry.sfreq)
        length = field.n_times(infos[0].sfreq) if math.isfinite(field.stop) else None
    extent = entry.extents.get("signal")
    chain = _chain(entry, infos, transforms, spikes)
    return Plan(entry, recording, tuple(infos), mask, positions, first, length, extent, bads, chain)


def _chain(entry: Entry, infos: Sequence[SignalInfo], transforms: Sequence[Transform], spikes: bool) -> Chain | None:
    operations = [] if spikes else _to_units(entry)
    for transform, info in zip(transforms, infos[:-1], strict=True):
        changes = transform.channelwise(info)
        if changes is None:
            return None
        operations += [(ufunc, np.broadcast_to(c, len(info.ch_names)).astype(np.float32)) for ufunc, c in changes]
    return Chain(operations, len(entry.ch_names))


def _to_units(entry: Entry) -> list[tuple[np.ufunc, ndarray]]:
    """From integers to SI units, and bad channels to zero."""
    if entry.gain is None or entry.offset is None:
        return []
    good = np.array([name not in entry.bads for name in entry.ch_names])
    gain, offset = (np.where(good, values, 0).astype(np.float32) for values in (entry.gain, entry.offset))
    return [(np.multiply, gain), *([(np.add, offset)] if offset.any() else [])]


class Scratch(threading.local):
    """A thread's own memory for what is read on its way to a batch."""

    def __init__(self) -> None:
        self._memory = np.empty(0, np.uint8)

    def take(self, shape: tuple[int, ...], dtype: str) -> ndarray:
        """An array of this shape and type, its values undefined; the next call overwrites it."""
        n_bytes = math.prod(shape) * np.dtype(dtype).itemsize
        if self._memory.size < n_bytes:
            self._memory = np.empty(n_bytes, np.uint8)
        return self._memory[:n_bytes].view(dtype).reshape(shape)
