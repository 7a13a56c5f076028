"""Sorted spikes and behaviour as a file holds them, checked and put on regular clocks: a Recording of units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from numpy import ndarray

from data_loaders.contracts import Recording, Spikes, Stream
from data_loaders.formats.clocks import Series
from data_loaders.formats.keep import chosen
from data_loaders.formats.session import checked_segments, common, streams_of, within

# anchors of windows tick in milliseconds; spike times keep their full precision
SFREQ = 1000.0


@dataclass(frozen=True)
class SpikeSession:
    """What a reader found: times in seconds from the recording's zero, unit indices into `ch_names`, series with their times.

    `segments` are [start, stop) seconds of valid data; `duration` only where the file states it.
    """

    entities: Mapping[str, str]
    ch_names: tuple[str, ...]
    times: ndarray  # [spike], as found: lengths may still disagree
    units: ndarray  # [spike]
    series: Mapping[str, Series] = field(default_factory=dict)
    events: pd.DataFrame | None = None
    segments: ndarray | None = None  # [segment, 2]
    duration: float | None = None
    sfreq: float = SFREQ
    columns: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    positions: ndarray | None = None  # [unit, 3]
    demographics: Mapping[str, Any] = field(default_factory=dict)
    decisions: tuple[str, ...] = ()

    def recording(
        self, source: str, entities: Mapping[str, str] | None = None, keep: Mapping[str, Any] | None = None
    ) -> Recording:
        """The checked Recording of the units that `keep` asks for; `entities` win over the file's.

        Raises ValueError, naming `source`, for what cannot be put right.
        """
        told = list(self.decisions)
        names: dict[str, Any] = {**self.entities, **(entities or {})}
        spikes = self._spikes(source, told)
        streams, pieces = streams_of(self.series, source, told)
        duration = self._duration(spikes, streams, source)
        segments = common(checked_segments(self.segments, duration, source, told), pieces, told)
        columns = {"rate": _rates(spikes, segments, len(self.ch_names)), **self.columns}
        index = chosen(keep or {}, columns, len(self.ch_names), "units", source, told)
        n_units = len(index)
        return Recording(
            modality="spikes", sfreq=self.sfreq, ch_names=tuple(self.ch_names[i] for i in index), ch_types=("unit",) * n_units,
            units=("",) * n_units, ch_columns={name: tuple(column[i] for i in index) for name, column in columns.items()},
            ch_positions=None if self.positions is None else self.positions[index], duration=duration,
            spikes=_only(spikes, index, len(self.ch_names)), streams=streams, segments=segments,
            events=within(self.events, duration, self.sfreq, told), demographics=dict(self.demographics), source=source,
            decisions=tuple(told), **names,
        )  # fmt: skip

    def _spikes(self, source: str, told: list[str]) -> Spikes:
        times, units = np.asarray(self.times, dtype=np.float64), np.asarray(self.units)
        _check_spikes(times, units, self.ch_names, source)
        order = np.argsort(times, kind="stable")
        if not _in_order(times, units):
            moved = int(np.sum(order != np.arange(len(order))))
            told.append(f"spike times were not in order: sorted ({moved} of {len(times)} spikes moved)")
        silent = np.flatnonzero(np.bincount(units, minlength=len(self.ch_names)) == 0)
        if len(silent):
            told.append(
                f"{len(silent)} units have no spike and are kept: {', '.join(self.ch_names[u] for u in silent[:5])}"
            )
        return Spikes(times[order], units[order].astype(np.int32))

    def _duration(self, spikes: Spikes, streams: Mapping[str, Stream], source: str) -> float:
        last_spike = float(spikes.times[-1]) + 1 / self.sfreq if len(spikes.times) else 0.0
        ends = [s.start + len(s.values) / s.sfreq for s in streams.values()]
        ends += [] if self.segments is None else [float(np.max(self.segments))]
        _check_unit_of_time(last_spike, ends, source)
        if self.duration is None:
            return max([last_spike, *ends])
        late = int(np.sum(spikes.times >= self.duration))
        if late:
            raise ValueError(f"{source}: {late} spikes lie after the stated duration of {self.duration:g} s (last at {last_spike:g} s): "
                             f"state the true duration in the sidecar, or leave it out")  # fmt: skip
        return max([self.duration, *ends])


def _in_order(times: ndarray, units: ndarray) -> bool:
    """True where times rise, or spikes lie unit after unit, as many files have them, and times rise within each."""
    falls, steps = np.diff(times) < 0, np.diff(units)
    return not np.any(falls & (steps == 0) if np.all(steps >= 0) else falls)


def unit_of_each(ends: Int[ndarray, "unit"], n_spikes: int, source: str) -> Int[ndarray, "spike"]:
    """The unit of each spike, where spikes lie unit after unit and `ends` says where each unit's end.

    >>> unit_of_each(np.array([2, 2, 3]), 3, "s.nwb").tolist()
    [0, 0, 2]
    """
    counts = np.diff(ends, prepend=0)
    if (counts < 0).any() or (len(ends) and ends[-1] != n_spikes):
        raise ValueError(f"{source}: the ends of the units' spikes ({ends[:5].tolist()}, ..., {ends[-1:].tolist()}) do not rise to the "
                         f"number of spikes, {n_spikes}: the index is damaged; write the file again")  # fmt: skip
    return np.repeat(np.arange(len(ends)), counts)


def _rates(spikes: Spikes, segments: Float[ndarray, "segment 2"], n_units: int) -> tuple[float, ...]:
    """Spikes per second of each unit over the segments."""
    place = np.searchsorted(segments[:, 0], spikes.times, side="right") - 1
    inside = (place >= 0) & (spikes.times < segments[np.maximum(place, 0), 1]) if len(segments) else np.zeros(0, bool)
    seconds = max(float(np.sum(segments[:, 1] - segments[:, 0])), 1e-9)
    counts = np.bincount(spikes.channels[inside], minlength=n_units) if len(segments) else np.zeros(n_units)
    return tuple((counts / seconds).tolist())


def _only(spikes: Spikes, index: Int[ndarray, "kept"], n_units: int) -> Spikes:
    """The spikes of some units, which are numbered anew."""
    if len(index) == n_units:
        return spikes
    place = np.full(n_units, -1, np.int32)
    place[index] = np.arange(len(index), dtype=np.int32)
    kept = place[spikes.channels] >= 0
    return Spikes(spikes.times[kept], place[spikes.channels[kept]])


def _check_spikes(times: ndarray, units: ndarray, ch_names: tuple[str, ...], source: str) -> None:
    if len(times) != len(units):
        raise ValueError(
            f"{source}: {len(times)} spike times but {len(units)} unit indices: give one unit for each spike"
        )
    if len(set(ch_names)) != len(ch_names):
        twice = sorted({name for name in ch_names if ch_names.count(name) > 1})
        raise ValueError(f"{source}: the unit names {twice[:5]} occur twice: give each unit its own name")
    if not np.isfinite(times).all():
        raise ValueError(f"{source}: {np.sum(~np.isfinite(times))} spike times are not finite: drop them from the file")
    if len(times) and times.min() < 0:
        raise ValueError(f"{source}: {np.sum(times < 0)} spike times are negative (first {times.min():g} s), but times count from the "
                         f"recording's start: subtract that start from spikes, behaviour and trials")  # fmt: skip
    wrong = (units < 0) | (units >= len(ch_names))
    if wrong.any():
        raise ValueError(f"{source}: {wrong.sum()} spikes are of unit {units[wrong][0]}, but there are {len(ch_names)} units, 0 to "
                         f"{len(ch_names) - 1}: number units from 0, or name them all in ch_names")  # fmt: skip


def _check_unit_of_time(last_spike: float, ends: list[float], source: str) -> None:
    """Milliseconds or clock ticks in place of seconds stretch spikes far beyond behaviour, or the other way about."""
    if not ends or not last_spike:
        return
    ratio = last_spike / max(max(ends), 1e-9)
    if not 0.01 < ratio < 100:
        raise ValueError(f"{source}: the last spike is at {last_spike:g} s but behaviour and segments end at {max(ends):g} s: "
                         f"all times are seconds; divide the larger by its ticks per second")  # fmt: skip
