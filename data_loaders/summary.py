"""Summary: what a folder of recordings holds, read one recording at a time and kept without its signal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from numpy import ndarray

from data_loaders.contracts import Recording, Stream


@dataclass(frozen=True)
class Facts:
    """One recording without its samples. Durations are seconds, `streams` name -> (sfreq, numbers per sample)."""

    path: Path
    name: str
    entities: Mapping[str, str]
    sfreq: float
    duration: float
    ch_names: tuple[str, ...]
    ch_types: tuple[str, ...]
    bads: tuple[str, ...]
    events: pd.DataFrame
    segments: Float[ndarray, "segment 2"]
    streams: Mapping[str, tuple[float, int]]
    demographics: Mapping[str, Any]
    decisions: tuple[str, ...]


def facts_of(recording: Recording, path: Path) -> Facts:
    """What remains of a recording when its signal is dropped."""
    entities = {name: getattr(recording, name) for name in ("study", "subject", "session", "task", "run", "modality")}
    whole = np.array([[0.0, recording.duration]])
    events = pd.DataFrame(columns=["onset", "duration", "trial_type"]) if recording.events is None else recording.events
    return Facts(
        path, recording.name, entities, recording.sfreq, recording.duration, recording.ch_names, recording.ch_types, recording.bads, events,
        whole if recording.segments is None else recording.segments,
        {name: (stream.sfreq, _width(stream)) for name, stream in recording.streams.items() if stream.values.dtype.kind == "f"},
        dict(recording.demographics), recording.decisions,
    )  # fmt: skip


def _width(stream: Stream) -> int:
    return int(np.prod(stream.values.shape[1:], dtype=int))


@dataclass(frozen=True)
class Summary:
    """What is there: `recordings` were read, `n_recordings` were found, `unread` say why some could not be.

    `asked` are the options of the inspection, as `prepare` takes them.
    """

    root: Path
    recordings: tuple[Facts, ...]
    n_recordings: int
    unread: Mapping[str, str]
    asked: Mapping[str, str] = field(default_factory=dict)

    @property
    def subjects(self) -> list[str]:
        """Their names, sorted."""
        return sorted({r.entities["subject"] for r in self.recordings})

    @property
    def modalities(self) -> list[str]:
        """eeg, meg, spikes, ..., the most frequent first."""
        return [name for name, _ in Counter(r.entities["modality"] for r in self.recordings).most_common()]

    @property
    def hours(self) -> float:
        """Length of the recordings that were read."""
        return sum(r.duration for r in self.recordings) / 3600

    @property
    def sfreqs(self) -> dict[float, int]:
        """Sampling rates (hertz) and how many recordings have each."""
        return dict(Counter(r.sfreq for r in self.recordings).most_common())

    @property
    def channels(self) -> dict[str, str]:
        """How many channels of each type a recording has: one number, or from-to."""
        counts = [Counter(r.ch_types) for r in self.recordings]
        kinds = dict.fromkeys(kind for count in counts for kind in count)
        spans = {kind: (min(c[kind] for c in counts), max(c[kind] for c in counts)) for kind in kinds}
        return {kind: str(low) if low == high else f"{low}-{high}" for kind, (low, high) in spans.items()}

    @property
    def bads(self) -> dict[str, int]:
        """Bad channels and in how many recordings each is bad."""
        return dict(Counter(name for r in self.recordings for name in r.bads).most_common())

    @cached_property
    def events(self) -> pd.DataFrame:
        """All events with `recording` (its position) and `subject`."""
        tables = [r.events.assign(recording=i, subject=r.entities["subject"]) for i, r in enumerate(self.recordings)]
        tables = [table for table in tables if len(table)]
        return (
            pd.concat(tables, ignore_index=True)
            if tables
            else pd.DataFrame(columns=["onset", "duration", "trial_type", "recording", "subject"])
        )

    @property
    def trial_types(self) -> dict[str, int]:
        """Trial types with their number of events, the most frequent first."""
        if "trial_type" not in self.events:
            return {}
        return {str(name): int(n) for name, n in self.events["trial_type"].dropna().value_counts().items()}

    @property
    def tasks(self) -> dict[str, int]:
        """Tasks and how many subjects did each."""
        pairs = {(r.entities["task"], r.entities["subject"]) for r in self.recordings if r.entities["task"]}
        return dict(Counter(task for task, _ in sorted(pairs)))

    @property
    def streams(self) -> dict[str, int]:
        """Streams of numbers that every recording has, and how many numbers a sample has."""
        common = set.intersection(*(set(r.streams) for r in self.recordings)) if self.recordings else set()
        return {name: self.recordings[0].streams[name][1] for name in sorted(common)}

    @cached_property
    def participants(self) -> pd.DataFrame:
        """One row per subject: its demographics, as far as the recordings that were read say."""
        rows: dict[str, dict[str, Any]] = {}
        for r in self.recordings:
            rows.setdefault(r.entities["subject"], {}).update(r.demographics)
        return pd.DataFrame.from_dict(rows, orient="index").sort_index()

    @property
    def ch_names(self) -> list[str]:
        """The channels that every recording has, in the order of the first."""
        common = set.intersection(*(set(r.ch_names) for r in self.recordings))
        return [name for name in self.recordings[0].ch_names if name in common]
