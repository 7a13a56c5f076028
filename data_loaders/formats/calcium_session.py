"""Fluorescence of cells as a file holds it, put on one clock, corrected where that was asked for: a Recording of cells.

The sidecar says what is wanted; left out, traces come in as they are:

    sfreq: 30.0                      # frames per second, where the file does not say it (it wins over the file)
    keep: {iscell: 1}                # which cells (`data_loaders.formats.keep`); `keep: {iscell: [0, 1]}` for all of them
    calcium:
      traces: F                      # which: F, Fneu, spks (suite2p), C, F_dff, S, ... (CaImAn); for NWB the key `signal`
      also: [spks]                   # other traces of the same cells, as streams
      neuropil: 0.7                  # F - 0.7 Fneu
      dff: {window: 60.0, percentile: 8}   # (F - F0) / F0, F0 a percentile of the seconds around
      timestamps: {file: frames.csv, values: t}   # seconds of each frame, in place of a rate
      um_per_pixel: 1.2              # then positions in the image are in metres
      streams: ...                   # trials, segments, demographics: `data_loaders.formats.stated`

F0 looks ahead by half its window: leave a gap of as much between training and test.
References: running percentile, Dombeck et al. 2007, Neuron 56:43; neuropil, Chen et al. 2013, Nature 499:295.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from numpy import ndarray

from data_loaders.contracts import Recording, Stream
from data_loaders.formats.channels import listed
from data_loaders.formats.checks import checked
from data_loaders.formats.clocks import Series, overlap, shifted, to_stream
from data_loaders.formats.events import empty_events, tidy, without
from data_loaders.formats.keep import chosen
from data_loaders.formats.session import checked_segments, common, streams_of
from data_loaders.formats.stated import KEYS, Arrays, check_keys, segments_of, series_of, trials_of

OPTIONS = KEYS | {"traces", "also", "neuropil", "dff", "timestamps", "um_per_pixel", "trust_pickle"}


@dataclass(frozen=True)
class CalciumSession:
    """What a reader found. `times` (seconds of each frame) or `sfreq` says when frames were taken.

    Series, events, segments and `invalid` spans count from the same zero as `times`. `default` is what is kept where
    the sidecar does not ask for anything.
    """

    entities: Mapping[str, str]
    traces: ndarray  # [time, cell]
    ch_names: tuple[str, ...]
    name: str
    unit: str = "n/a"
    sfreq: float | None = None
    times: ndarray | None = None
    neuropil: ndarray | None = None  # [time, cell]
    also: Mapping[str, ndarray] = field(default_factory=dict)
    columns: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    positions: ndarray | None = None  # [cell, 3]
    default: Mapping[str, Any] = field(default_factory=dict)
    series: Mapping[str, Series] = field(default_factory=dict)
    events: pd.DataFrame | None = None
    segments: ndarray | None = None
    invalid: ndarray | None = None
    demographics: Mapping[str, Any] = field(default_factory=dict)
    decisions: tuple[str, ...] = ()

    def recording(self, source: str, description: Mapping[str, Any]) -> Recording:
        """The checked Recording. Raises ValueError, naming `source`, for what cannot be put right."""
        told, options = list(self.decisions), dict(description.get("calcium", {}))
        check_keys(options, OPTIONS, "calcium", Path(source))
        self._check(source)
        index = chosen(self._keep(description), self.columns, len(self.ch_names), "cells", source, told)
        traces = self._corrected(index, options, source, told)
        values, sfreq, start, pieces = _clocked(self, traces, source, told)
        names, unit, bads = tuple(self.ch_names[i] for i in index), self.unit, ()
        if "dff" in options:
            values, bads = dff(values, sfreq, options["dff"], names, source, told)
            unit = "dF/F"
        streams, others = streams_of(shifted(self.series, start), source, told)
        streams |= {
            name: Stream(_on(self, array[:, index], source), sfreq, 0.0, names) for name, array in self.also.items()
        }
        duration = len(values) / sfreq
        who: dict[str, Any] = dict(self.entities)
        return checked(Recording(
            **who, modality="calcium", sfreq=sfreq, duration=duration, signal=values.astype(np.float32, copy=False),
            ch_names=names, ch_types=("cell",) * len(names), units=(unit,) * len(names), bads=bads,
            ch_positions=None if self.positions is None else self.positions[index],
            ch_columns={name: tuple(column[i] for i in index) for name, column in self.columns.items()},
            streams=streams, events=self._events(start), segments=self._segments(start, duration, pieces, others, source, told),
            demographics=dict(self.demographics), source=source, decisions=tuple(told),
        ))  # fmt: skip

    def _keep(self, description: Mapping[str, Any]) -> Mapping[str, Any]:
        asked = dict(description.get("keep", {}))
        return asked if set(asked) & set(self.default) else {**self.default, **asked}

    def _check(self, source: str) -> None:
        if self.traces.ndim != 2 or self.traces.dtype.kind not in "fiu":
            raise ValueError(
                f"{source}: {self.name} has the shape {self.traces.shape} of {self.traces.dtype}, expected numbers [cell, time]"
            )
        n_times, n_cells = self.traces.shape
        if n_times < 2 or not n_cells or n_cells != len(self.ch_names):
            raise ValueError(f"{source}: {self.name} has {n_times} frames of {n_cells} cells, but {len(self.ch_names)} are described: "
                             f"the files are of different runs, or cut short")  # fmt: skip
        for name, column in self.columns.items():
            if len(column) != n_cells:
                raise ValueError(
                    f"{source}: {name} has {len(column)} entries for {n_cells} cells: the files are of different runs"
                )

    def _corrected(
        self, index: ndarray, options: Mapping[str, Any], source: str, told: list[str]
    ) -> Float[ndarray, "time cell"]:
        traces = self.traces[:, index].astype(np.float32, copy=False)
        if "neuropil" not in options:
            return traces
        if self.neuropil is None or self.neuropil.shape != self.traces.shape:
            there = (
                "none" if self.neuropil is None else f"one of the shape {self.neuropil.shape} for {self.traces.shape}"
            )
            raise ValueError(
                f"{source}: neuropil is asked for, but there is {there}: take `neuropil` out of the sidecar"
            )
        factor = float(options["neuropil"])
        told.append(f"{factor:g} x neuropil is subtracted from {self.name}")
        return traces - np.float32(factor) * self.neuropil[:, index].astype(np.float32, copy=False)

    def _events(self, start: float) -> pd.DataFrame:
        if self.events is None:
            return empty_events()
        return tidy(self.events.assign(onset=self.events["onset"] - start).sort_values("onset", kind="stable"))

    def _segments(
        self, start: float, duration: float, pieces: ndarray | None, others: list[ndarray], source: str, told: list[str]
    ) -> Float[ndarray, "segment 2"]:
        segments = checked_segments(None if self.segments is None else self.segments - start, duration, source, told)
        segments = segments if pieces is None else overlap(segments, pieces - start)
        if self.invalid is not None and len(self.invalid):
            told.append(f"{len(self.invalid)} spans that the file calls invalid are left out of the segments")
            segments = without(segments, self.invalid - start)
        return common(segments, others, told)


def beside(path: Path, stated: Mapping[str, Any]) -> dict[str, Any]:
    """What the sidecar's `calcium` names in files beside the recording: frame times, behaviour, trials, segments, demographics."""
    arrays, times = Arrays(path, "calcium"), stated.get("timestamps")
    if isinstance(times, Mapping):
        times = arrays(times.get("values", "t"), "timestamps", str(times["file"]))
    elif times is not None:
        times = arrays(times, "timestamps")
    return {
        "times": None if times is None else np.ravel(times), "series": series_of(arrays, stated),
        "events": trials_of(arrays, stated.get("trials")), "segments": segments_of(arrays, stated.get("segments")),
        "demographics": stated.get("demographics", {}),
    }  # fmt: skip


def positions_in_image(columns: Mapping[str, tuple[Any, ...]], stated: Mapping[str, Any]) -> ndarray | None:
    """Metres from the image's corner, where the sidecar says how large a pixel is."""
    if "x_pixel" not in columns or "um_per_pixel" not in stated:
        return None
    pixels = np.array([columns["x_pixel"], columns["y_pixel"], np.zeros(len(columns["x_pixel"]))], dtype=float).T
    return pixels * float(stated["um_per_pixel"]) * 1e-6


def _clocked(
    session: CalciumSession, traces: ndarray, source: str, told: list[str]
) -> tuple[Float[ndarray, "time cell"], "float", "float", ndarray | None]:
    """Traces on a regular clock, its rate, the second of the first frame, and the pieces between gaps."""
    if session.times is not None:
        stream, pieces, decisions = to_stream(session.name, Series(session.times, traces), source, signal=True)
        told.extend(decisions)
        return stream.values, stream.sfreq, stream.start, pieces
    if session.sfreq is None:
        raise ValueError(
            f"{source} does not say how many frames there are per second: add `sfreq: 30` (hertz) to its sidecar, brainfm.yaml"
        )
    if not (np.isfinite(session.sfreq) and session.sfreq > 0):
        raise ValueError(
            f"{source}: the frame rate is {session.sfreq:g} Hz, expected a number above 0: state `sfreq: 30` in its sidecar"
        )
    return traces, float(session.sfreq), 0.0, None


def _on(session: CalciumSession, array: ndarray, source: str) -> Float[ndarray, "time cell"]:
    """Other traces of the same frames, on the same clock."""
    if array.shape[0] != session.traces.shape[0]:
        raise ValueError(
            f"{source}: traces to go `also` have {len(array)} frames, {session.name} has {len(session.traces)}"
        )
    return _clocked(session, array.astype(np.float32), source, [])[0]


def dff(
    values: Float[ndarray, "time cell"], sfreq: float, stated: Any, names: tuple[str, ...], source: str, told: list[str]
) -> tuple[Float[ndarray, "time cell"], tuple[str, ...]]:
    """(F - F0) / F0, F0 the running percentile of each cell; cells whose F0 is not above 0 are marked bad and told."""
    about = {"window": 60.0, "percentile": 8.0, **(stated if isinstance(stated, Mapping) else {})}
    unknown = set(about) - {"window", "percentile"}
    if unknown or not 0 <= float(about["percentile"]) <= 100 or not float(about["window"]) > 0:
        raise ValueError(
            f"{source}: calcium.dff is {stated!r}, expected {{window: 60.0, percentile: 8}} (seconds, percent)"
        )
    width = max(1, round(float(about["window"]) * sfreq))
    rolling = pd.DataFrame(values).rolling(width, center=True, min_periods=1)
    base = rolling.quantile(float(about["percentile"]) / 100).to_numpy()
    low = ~(np.nanmin(base, axis=0) > 0)
    bads = tuple(name for name, wrong in zip(names, low, strict=True) if wrong)
    told.append(f"dF/F over the {float(about['percentile']):g}th percentile of {float(about['window']):g} s")
    if bads:
        told.append(
            f"the baseline of {len(bads)} cells is not above 0 everywhere, so dF/F means nothing; marked bad: {listed(bads)}"
        )
    return ((values - base) / np.where(base > 0, base, np.nan if low.all() else 1.0)).astype(np.float32), bads
