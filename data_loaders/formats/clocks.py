"""Series with a timestamp for each value become streams on a regular clock; holes become borders of segments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from data_loaders.contracts import Stream

# a hole of more than this many samples is a gap: nothing is interpolated across it
GAP = 5.0
# timestamps this near a regular grid (in samples) are taken as regular
JITTER = 0.1
# steps of a signal's clock may stray by this share of a sample from whole samples (timestamps in milliseconds at 100 Hz do)
WILD = 0.3


@dataclass(frozen=True)
class Series:
    """Values as found, with the time of each in seconds from the recording's zero."""

    times: ndarray  # [time], as found: lengths may still disagree
    values: ndarray  # [time, ...]
    names: tuple[str, ...] = ()
    unit: str = ""


def shifted(series: Mapping[str, Series], start: float) -> dict[str, Series]:
    """The same series, their seconds counted from `start`."""
    return {name: replace(one, times=np.asarray(one.times, dtype=float) - start) for name, one in series.items()}


def to_stream(
    name: str, series: Series, source: str, signal: bool = False
) -> tuple[Stream, Float[ndarray, "piece 2"], list[str]]:
    """The regular stream, the [start, stop) pieces in which it has values, and what was decided.

    Values with a time off the grid are interpolated linearly (whole numbers and truth values: the last one holds) to the
    series' own typical rate. Inside a gap values are NaN (or the last one held); the pieces leave gaps out. For the
    `signal` of a recording NaN are left to `checks`, and clocks that tick at no rate are refused with a ValueError.
    """
    told: list[str] = []
    times, values = _checked(name, series, source, told, drop=not signal)
    rate = _rate(times)
    if signal:
        _check_rate(name, times, rate, source)
    _check_span(name, times, rate, source)
    breaks = np.flatnonzero(np.diff(times) > GAP / rate)
    first, last = np.r_[0, breaks + 1], np.r_[breaks, len(times) - 1]
    pieces = np.stack([times[first], times[last] + 1 / rate], axis=1)
    grid = times[0] + np.arange(round((times[-1] - times[0]) * rate) + 1) / rate
    off = float(np.max(np.abs(times - grid))) * rate if len(grid) == len(times) else np.inf
    if off > JITTER:
        told.append(f"{name}: {len(times)} irregular samples brought to {len(grid)} at {rate:g} Hz, {len(breaks)} gaps")
        values = _resampled(grid, times, values, pieces)
    elif off > 1e-3:
        told.append(
            f"{name}: timestamps stray by up to {1e3 * off / rate:.3g} ms from {rate:g} Hz and are taken as regular"
        )
    values = values.astype(np.float32) if values.dtype.kind == "f" else values
    return Stream(values, rate, float(times[0]), series.names, series.unit), pieces, told


def overlap(a: Float[ndarray, "left 2"], b: Float[ndarray, "right 2"]) -> Float[ndarray, "both 2"]:
    """The stretches that two lists of [start, stop) have in common.

    >>> overlap(np.array([[0.0, 10.0]]), np.array([[-1.0, 4.0], [6.0, 12.0]]))
    array([[ 0.,  4.],
           [ 6., 10.]])
    """
    start = np.maximum(a[:, None, 0], b[None, :, 0]).ravel()
    stop = np.minimum(a[:, None, 1], b[None, :, 1]).ravel()
    return np.stack([start, stop], axis=1)[stop > start]


def _check_span(name: str, times: Float[ndarray, "time"], rate: float, source: str) -> None:
    """One wild timestamp would ask for a grid that no memory holds."""
    if (times[-1] - times[0]) * rate > 100 * len(times) + 1e6:
        worst = int(np.argmax(np.diff(times)))
        raise ValueError(f"{source}: {len(times)} timestamps of {name} span {times[-1] - times[0]:g} s, with a step from "
                         f"{times[worst]:g} to {times[worst + 1]:g} s: mend the wild one, or cut the series there")  # fmt: skip


def _check_rate(name: str, times: Float[ndarray, "time"], rate: float, source: str) -> None:
    """Refuses timestamps most of which are not whole samples apart: interpolating them would invent a signal."""
    steps = np.diff(times) * rate  # in samples
    stray = np.abs(steps - np.maximum(np.round(steps), 1))
    if np.mean(stray > WILD) > 0.1:
        low, high = np.percentile(np.diff(times), [5, 95])
        raise ValueError(f"{source}: {name} has timestamps at no regular rate (steps of {low:.4g} to {high:.4g} s): "
                         f"resample it before, or state `sfreq` in a sidecar if the timestamps are wrong")  # fmt: skip


def _checked(name: str, series: Series, source: str, told: list[str], drop: bool = True) -> tuple[ndarray, "ndarray"]:
    times, values = np.asarray(series.times, dtype=np.float64), np.asarray(series.values)
    if len(times) != len(values):
        raise ValueError(
            f"{source}: {name} has {len(values)} values but {len(times)} timestamps: give one time for each value"
        )
    if not np.isfinite(times).all():
        raise ValueError(
            f"{source}: {np.sum(~np.isfinite(times))} timestamps of {name} are not finite: drop them and their values"
        )
    backward = np.flatnonzero(~(np.diff(times) > 0))
    if len(backward):
        at = backward[0]
        raise ValueError(f"{source}: timestamps of {name} do not increase at sample {at + 1} ({times[at]:g} s, then {times[at + 1]:g} s): "
                         f"sort them and drop what is doubled")  # fmt: skip
    if not drop:
        return times, values
    finite = (
        np.isfinite(values.reshape(len(values), -1)).all(axis=1)
        if values.dtype.kind == "f"
        else np.full(len(values), True)
    )
    if finite.sum() < 2:
        raise ValueError(
            f"{source}: {name} has {finite.sum()} finite values of {len(values)}, too few for a stream: leave it out"
        )
    if not finite.all():
        told.append(
            f"{name}: {np.sum(~finite)} of {len(values)} samples are not finite; more than {GAP:g} in a row make a gap"
        )
    return times[finite], values[finite]


def _rate(times: Float[ndarray, "time"]) -> float:
    """Samples per second away from holes, as the roundest number that stays within a twentieth of a sample over all of it."""
    steps = np.diff(times)
    median = float(np.median(steps))
    usual = steps[np.abs(steps - median) <= 0.5 * median]
    # rounding to milliseconds biases the median (16, 17, 17 ms) but not the mean; wild sampling has no mean to speak of
    rate = 1 / float(np.mean(usual) if len(usual) >= 0.8 * len(steps) else median)
    span = (times[-1] - times[0]) * rate
    rounded = (float(f"{rate:.{digits}g}") for digits in range(1, 12))
    return next((r for r in rounded if abs(r / rate - 1) * span < 0.05), rate)


def _resampled(grid: ndarray, times: ndarray, values: ndarray, pieces: ndarray) -> ndarray:
    if values.dtype.kind != "f":
        return values[np.searchsorted(times, grid, side="right") - 1]
    flat = values.reshape(len(values), -1)  # [time, column]
    out = np.stack([np.interp(grid, times, column) for column in flat.T], axis=1)
    inside = np.searchsorted(pieces[:, 0], grid + 1e-9, side="right") - 1
    out[grid >= pieces[inside, 1]] = np.nan
    return out.reshape(len(grid), *values.shape[1:])
