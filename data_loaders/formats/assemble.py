"""From channels, samples and events to a checked Recording: brain channels are the signal, the others are streams."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from numpy import ndarray

from data_loaders.contracts import Recording, Stream
from data_loaders.formats.channels import BRAIN, Channels, listed, settled, unit_of
from data_loaders.formats.checks import checked
from data_loaders.formats.events import split_special, tidy, without
from data_loaders.formats.integers import Samples
from data_loaders.formats.naming import guesser
from data_loaders.formats.source import Source


@dataclass(frozen=True)
class Found:
    """What one file holds, before anything is decided. `read(index)` gives the samples of some of its channels.

    `events` may still have BAD spans and borders; `segments` are given for cut trials. `triggers` are the events of a
    stimulus channel, asked for only where there are no others. `guess` is True where every channel is called EEG by
    default, `rename` where electrodes are spelt as the recorder liked. `units` are of channels whose type has none, by name.
    """

    channels: Channels
    sfreq: float
    n_times: int
    read: Callable[[Sequence[int]], Samples]
    events: pd.DataFrame
    segments: Float[ndarray, "segment 2"] | None = None
    streams: Mapping[str, Stream] = field(default_factory=dict)
    triggers: Callable[[], pd.DataFrame] | None = None
    demographics: Mapping[str, Any] = field(default_factory=dict)
    guess: bool = False
    rename: bool = False
    unit: str | None = None
    units: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()


def recording(source: Source, found: Found) -> Recording:
    """The Recording of one file. Raises ValueError where it has no brain channel or its unit cannot be right."""
    if found.n_times < 1:
        raise ValueError(f"{source.path.name} holds no sample: it is truncated; copy it again, or leave it out with "
                         f"`exclude: [{source.path.name}]`")  # fmt: skip
    guess = guesser(source.modality) if found.guess else None
    channels = settled(found.channels, source.description, guess, found.rename)
    brain = channels.of(BRAIN[source.modality])
    if not brain:
        kinds = listed([f"{name} {kind}" for name, kind in zip(channels.names, channels.types, strict=True)])
        example = f"ch_types: {{NAME: {BRAIN[source.modality][0]}}}"
        raise ValueError(f"{source.path.name} has no {source.modality} channel but {kinds}: state `{example}` in a "
                         f"sidecar, or leave the file out with `exclude: [{source.path.name}]`")  # fmt: skip
    events, segments, told = _events(found, channels)
    samples = _scaled(found.read(brain), source.description)
    signal = channels.pick(brain)
    streams, left = _streams(found, channels, brain)
    who: dict[str, Any] = _who(source)
    raw = Recording(
        **who, modality=source.modality, sfreq=found.sfreq, duration=found.n_times / found.sfreq,
        ch_names=signal.names, ch_types=signal.types, ch_positions=signal.positions, bads=signal.bads,
        ch_columns=signal.columns,
        units=signal.units if found.unit is None else (found.unit,) * len(brain),
        signal=samples.signal, gain=samples.gain, offset=samples.offset, streams=streams, events=events, segments=segments,
        demographics=dict(found.demographics), source=_shown(source),
        decisions=(*found.notes, *channels.notes, *left, *told),
    )  # fmt: skip
    return checked(raw)


def _shown(source: Source) -> str:
    """The path below the root: what a message and the store call this file."""
    return source.path.relative_to(source.root).as_posix() if source.root in source.path.parents else source.path.name


def _who(source: Source) -> dict[str, str]:
    names = ("study", "subject", "session", "task", "run")
    return {name: source.entities.get(name, "") for name in names}


def _events(found: Found, channels: Channels) -> tuple[pd.DataFrame, ndarray, list[str]]:
    """The table of the experiment's events and the segments."""
    events, segments, told = split_special(found.events, found.n_times / found.sfreq, found.sfreq)
    if found.segments is not None:
        segments = without(found.segments, _complement(segments, found.n_times / found.sfreq))
    stim = listed([channels.names[i] for i in channels.of(("stim",))])
    if stim and events.empty and found.triggers is not None:
        events = found.triggers()
        told.append(f"{len(events)} events come from the stimulus channels ({stim})")
    elif stim:
        told.append(f"stimulus channels are left out: {stim}")
    if events.empty:
        told.append("no events: the recording can be tiled, not cut around events")
    return tidy(events), segments, told


def _complement(segments: Float[ndarray, "segment 2"], duration: float) -> Float[ndarray, "gap 2"]:
    edges = np.concatenate([[0.0], segments.ravel(), [duration]]).reshape(-1, 2)
    return edges[edges[:, 1] > edges[:, 0]]


def _scaled(samples: Samples, description: Mapping[str, Any]) -> Samples:
    if "scale" not in description:
        return samples
    scale = float(description["scale"])
    gain = None if samples.gain is None else samples.gain * scale
    offset = None if samples.offset is None else samples.offset * scale
    return Samples(samples.signal * scale, gain, offset)


def _streams(found: Found, channels: Channels, brain: Sequence[int]) -> tuple[dict[str, Stream], list[str]]:
    """Everything that is not the signal, one stream per type (eog, ecg, misc, ...); stimulus channels are events already."""
    streams = dict(found.streams)
    kinds = dict.fromkeys(k for i, k in enumerate(channels.types) if i not in set(brain) and k != "stim")
    for kind in kinds:
        index = [i for i in channels.of((kind,)) if i not in set(brain)]
        values = found.read(index).signal.astype(np.float32, copy=False)
        names = tuple(channels.names[i] for i in index)
        streams[_free(kind, streams)] = Stream(values, found.sfreq, 0.0, names, unit_of(kind, names, found.units))
    told = [
        f"not in the signal but the stream {name}" + (f": {listed(stream.names)}" if stream.names else "")
        for name, stream in streams.items()
    ]
    return streams, told


def _free(name: str, taken: Mapping[str, Any]) -> str:
    return name if name not in taken else f"{name}_2"
