"""What a transform is: signal in, signal out, with what it learned from the training part travelling beside the model."""

from __future__ import annotations

import copy
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float, Int, UInt8
from numpy import ndarray


@dataclass(frozen=True)
class SignalInfo:
    """What is known of a signal's channels and clock; `recording` is its number in the store, -1 where there is none.

    `ch_columns` holds what else is known of each channel (region, group, quality), one entry per channel.
    """

    sfreq: float
    ch_names: tuple[str, ...]
    ch_types: tuple[str, ...]
    ch_positions: Float[ndarray, "channel 3"]
    bads: tuple[str, ...] = ()
    recording: int = -1
    ch_columns: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)

    def pick(self, channels: Sequence[int]) -> SignalInfo:
        """The same signal with these channels only, in this order."""
        names = tuple(self.ch_names[c] for c in channels)
        types = tuple(self.ch_types[c] for c in channels)
        bads = tuple(name for name in self.bads if name in names)
        columns = {name: tuple(column[c] for c in channels) for name, column in self.ch_columns.items()}
        positions = self.ch_positions[list(channels)]
        return replace(self, ch_names=names, ch_types=types, ch_positions=positions, bads=bads, ch_columns=columns)


@dataclass(frozen=True)
class Example:
    """One training window as `Transform.fit` sees it, after the transforms before it."""

    info: SignalInfo
    signal: Float[ndarray, "channel time"]
    label: Any = None
    window_id: int = -1


class Transform(ABC):
    """Changes a signal window by window, segment by segment, or chunk by chunk of a live stream.

    `causal` is True where no output looks ahead: only these can run on a live stream, chunk by chunk with a `carry`.
    `continuous` ones run over whole segments before windows are cut; `fitted` ones learn from the training part.
    """

    causal: bool = True
    continuous: bool = False
    fitted: ClassVar[bool] = False
    _state: Mapping[str, ndarray] = MappingProxyType({})

    @property
    def reach(self) -> float:
        """Seconds by which one sample leaks into its neighbours on either side."""
        return 0.0

    def plan(self, info: SignalInfo) -> SignalInfo:
        """What comes out: names, types, positions, sfreq."""
        return info

    def fit(self, windows: Sequence[Example]) -> Transform:
        """A copy that has learned from windows of the training part; a transform without statistics returns itself."""
        return self

    @abstractmethod
    def step(
        self, chunk: Float[ndarray, "channel time"], info: SignalInfo, carry: Any = None
    ) -> tuple[Float[ndarray, "out_channel out_time"], Any]:
        """The changed chunk, and what the next chunk needs to go on where this one ended.

        `carry` is None for a window on its own and for the first chunk of a stream, and then what the last call returned.
        `info` describes what goes in. Raises ValueError where a transform that looks ahead is given a carry.
        """

    def channelwise(self, info: SignalInfo) -> Sequence[tuple[np.ufunc, Float[ndarray, "channel"]]] | None:
        """What `step` does, where it is nothing but ufuncs with a float32 constant per channel, one after another.

        The stream then does it in place while it reads, with the same result to the last bit. None where it is more.
        """
        return None

    def state(self) -> dict[str, ndarray]:
        """What was learned and on which windows (`fitted_on`, their sorted ids), as numbers: it travels in the checkpoint."""
        return dict(self._state)

    def with_state(self, state: Mapping[str, ndarray]) -> Transform:
        """A copy that has learned what `state` holds."""
        changed = copy.copy(self)
        changed._state = dict(state)
        return changed

    def learned(self, name: str) -> ndarray:
        """One entry of the state. Raises ValueError where nothing was fitted."""
        if name not in self._state:
            raise ValueError(
                f"{type(self).__name__} has not seen training data: call fit(windows) or with_state(state) of a checkpoint first"
            )
        return self._state[name]


class TooShortError(ValueError):
    """A segment is shorter than the filter that should run over it."""


def apply(
    transforms: Sequence[Transform], signal: Float[ndarray, "channel time"], info: SignalInfo
) -> tuple[Float[ndarray, "out_channel out_time"], SignalInfo]:
    """Runs a chain over one window or segment on its own."""
    for transform in transforms:
        signal, _ = transform.step(signal, info)
        info = transform.plan(info)
    return signal, info


def apply_live(
    transforms: Sequence[Transform],
    chunk: Float[ndarray, "channel time"],
    info: SignalInfo,
    carries: Sequence[Any] | None = None,
) -> tuple[Float[ndarray, "out_channel out_time"], list[Any]]:
    """Runs a chain over the next chunk of a live stream; pass on the carries that it returns.

    Raises ValueError naming the transforms that look ahead, at the first chunk.
    """
    ahead = [type(transform).__name__ for transform in transforms if not transform.causal]
    if ahead:
        raise ValueError(
            f"{', '.join(ahead)} looks ahead, and a live stream has no future: train with causal=True or without it"
        )
    new = []
    for transform, carry in zip(transforms, carries or [None] * len(transforms), strict=True):
        chunk, carry = transform.step(chunk, info, carry)
        info = transform.plan(info)
        new.append(carry)
    return chunk, new


def refuse_carry(transform: Transform, carry: Any) -> None:
    """For a transform that looks ahead: raises ValueError where it is asked to go on from an earlier chunk."""
    if carry is not None:
        raise ValueError(
            f"{type(transform).__name__} looks ahead, and a live stream has no future: train with causal=True or without it"
        )


def fitted_on(windows: Sequence[Example]) -> Int[ndarray, "window"]:
    """The sorted ids of the windows that statistics were taken from."""
    return np.unique(np.array([window.window_id for window in windows], dtype=np.int64))


def pack(names: Sequence[str]) -> UInt8[ndarray, "byte"]:
    """Names as numbers: safetensors holds no text."""
    return np.frombuffer(json.dumps(list(names)).encode(), np.uint8).copy()


def unpack(packed: UInt8[ndarray, "byte"]) -> list[str]:
    """The names that `pack` was given."""
    return json.loads(packed.tobytes())


def run_sections(
    chunk: Float[ndarray, "channel time"],
    sos: Float[ndarray, "section 6"],
    carry: Float[ndarray, "section channel 2"] | None = None,
) -> tuple[Float[ndarray, "channel time"], ndarray]:
    """Runs second-order sections on from where the last chunk ended, or from the steady state of the first sample."""
    from scipy.signal import sosfilt, sosfilt_zi

    state = (
        sosfilt_zi(sos)[:, None, :] * chunk[:, :1].astype(np.float64) if carry is None else carry
    )  # [section, channel, 2]
    out, state = sosfilt(sos, chunk.astype(np.float64), axis=1, zi=state)
    return out.astype(chunk.dtype), state


def spread(filtered: Callable[[ndarray, "float"], ndarray], sfreq: float) -> float:
    """Seconds around an impulse that hold 99.9 % of the energy of what a filter makes of it, at `sfreq` hertz."""
    n_times = 1 << 12
    while True:
        impulse = np.zeros((1, 2 * n_times + 1))
        impulse[0, n_times] = 1.0
        energy = filtered(impulse, sfreq)[0, : 2 * n_times + 1] ** 2
        within = energy[n_times:] + np.r_[0.0, energy[:n_times][::-1]]  # by distance from the impulse
        distance = int(np.searchsorted(np.cumsum(within), 0.999 * within.sum()))
        # far from the edges of the stretch, a longer one would give the same
        if distance < n_times // 4 or n_times >= 1 << 18:
            return distance / sfreq
        n_times *= 4


def n_leading(transforms: Sequence[Transform]) -> int:
    """How many continuous transforms come first. Raises ValueError where one comes after another kind."""
    lead = next((i for i, t in enumerate(transforms) if not t.continuous), len(transforms))
    late = [type(t).__name__ for t in transforms[lead:] if t.continuous]
    if late:
        raise ValueError(
            f"{late[0]} runs over whole recordings, so it comes before {type(transforms[lead]).__name__}: move it up"
        )
    return lead
