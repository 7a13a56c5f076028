"""Features of what recordings played: extracted once per stimulus, brought onto each recording's clock, attached to the store."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from numpy import ndarray

from brainfm.stimuli.alignment import lanczos
from brainfm.stimuli.base import Extractor, Features
from data_loaders.attach import attach
from data_loaders.catalog import Entry
from data_loaders.contracts import Stream
from data_loaders.store import Store
from data_loaders.words import read_words, times_from_rate, with_times, words_of_text

CACHE = "features/cache"
_FASTEST = 100.0  # hertz: features of words are slower than a recording's clock


@dataclass(frozen=True)
class Played:
    """A file that a recording played, from `onset` seconds into it."""

    recording: str
    file: Path
    onset: float


@dataclass(frozen=True)
class Placing:
    """How features come onto a recording's clock: at `sfreq` hertz (default: its own, at most 100), kernel normalised or not."""

    sfreq: float | None = None
    normalize: bool = False

    def stream(self, features: Float[ndarray, "event dim"], times: ndarray, entry: Entry) -> Stream:
        """Lanczos-resampled to the middle of each sample, as published for frames of fMRI."""
        sfreq, frames = self.clock(entry)
        return Stream(lanczos(features, times, frames, self.normalize), sfreq)

    def held(self, features: Float[ndarray, "event dim"], onsets: ndarray, durations: ndarray, entry: Entry) -> Stream:
        """Each row from its onset for its duration, at least one sample; zero where nothing was shown."""
        sfreq, frames = self.clock(entry)
        values = np.zeros((len(frames), features.shape[1]), np.float32)
        for row, onset, duration in zip(features, onsets, durations, strict=True):
            first = int(np.clip(np.floor(onset * sfreq + 1e-6), 0, len(frames) - 1))
            values[first : max(first + 1, round((onset + duration) * sfreq))] = row
        return Stream(values, sfreq)

    def clock(self, entry: Entry) -> tuple[float, Float[ndarray, "sample"]]:
        """The streams' rate for a recording, hertz, and the middle of each of their samples, seconds."""
        sfreq = self.sfreq or min(entry.sfreq, _FASTEST)
        return sfreq, (np.arange(int(np.ceil(entry.duration * sfreq - 1e-6))) + 0.5) / sfreq


def extract_into(
    store: Path,
    extractor: Extractor,
    played: list[Played],
    placing: Placing,
    rate: str | None = None,
    name: str | None = None,
) -> list[str]:
    """Attaches one feature per layer, `<name>.<layer>`, to the recordings that played something; returns their names.

    Each stimulus is extracted once and kept below `<store>/features/cache`, under what it depends on, long ones piece by
    piece: a run that was killed goes on where it was. `rate` names a stream with the rate of words, for texts without times.
    """
    known = {entry.name: entry for entry in map(Store(store).entry, range(len(Store(store))))}
    times, rows = {}, {}
    for (file, onset), recordings in _grouped(played).items():
        stimulus = stimulus_of(file, store, recordings[0], rate)
        found = kept_features(store / CACHE, extractor, stimulus)
        for recording in recordings:
            times.setdefault(recording, []).append(found.times + onset)
            rows.setdefault(recording, []).append(found.layers)
    label = name or extractor.name
    layers = list(next(iter(rows.values()))[0])
    for layer in layers:
        streams = {
            recording: placing.stream(
                np.concatenate([part[layer] for part in parts]), np.concatenate(times[recording]), known[recording]
            )
            for recording, parts in rows.items()
        }
        attach(store, f"{label}.{layer}", streams, extractor.facts)
    return [f"{label}.{layer}" for layer in layers]


def stimulus_of(file: Path, store: Path, recording: str, rate: str | None) -> Any:
    """A stimulus as extractors take it: a table of words (or, of a .wav file, sound)."""
    if file.suffix.lower() == ".wav":
        from brainfm.stimuli.speech import Sound

        return Sound.read(file)
    if file.suffix.lower() != ".txt":
        return read_words(file)
    words = words_of_text(file.read_text(encoding="utf-8"))
    if rate is None:
        raise ValueError(
            f"{file.name} is text without times: give a .TextGrid or .tsv, or --rate STREAM with the rate of words"
        )
    times = _times(store, recording, rate, len(words))
    print(
        f"{file.name}: {len(words):,} words placed by {rate} of {recording}, from {times[0]:.1f} to {times[-1]:.1f} s"
    )
    return with_times(words, times)


def matched(table: pd.DataFrame, store: Path, folder: Path) -> list[Played]:
    """What each recording played, from a table whose `recording` may be a pattern. Raises ValueError where one matches none."""
    names = list(Store(store).catalog["name"])
    found = []
    for row in table.itertuples():
        mine = [name for name in names if fnmatchcase(name, str(row.recording))]
        if not mine:
            raise ValueError(f"no recording matches {row.recording!r}: the store has {names[:5]}")
        found += [Played(name, folder / str(row.stimulus), float(row.onset)) for name in mine]  # type: ignore[arg-type]
    return found


def _grouped(played: list[Played]) -> dict[tuple[Path, float], list[str]]:
    groups: dict[tuple[Path, float], list[str]] = {}
    for one in played:
        groups.setdefault((one.file, one.onset), []).append(one.recording)
    return groups


def _times(store: Path, recording: str, rate: str, n_words: int) -> Float[ndarray, "word"]:
    """Word times from a rate that was convolved with the canonical haemodynamic response."""
    from nilearn.glm.first_level.hemodynamic_models import spm_hrf

    opened = Store(store)
    index = list(opened.catalog["name"]).index(recording)
    entry = opened.entry(index)
    if rate not in entry.streams:
        raise ValueError(
            f"{recording} has no stream {rate!r}; it has {sorted(entry.streams)}: name one of these with --rate"
        )
    info = entry.streams[rate]
    values = np.asarray(opened.stream(index, rate, 0, info.shape[0]), dtype=np.float64).reshape(info.shape[0], -1)[:, 0]
    response = np.asarray(spm_hrf(1 / info.sfreq, oversampling=1)) if entry.entities["modality"] == "fmri" else None
    return times_from_rate(values, info.sfreq, n_words, response) + info.start


def kept_features(folder: Path, extractor: Extractor, stimulus: Any) -> Features:
    """The features of a stimulus from `folder`, or extracted and put there, under a checksum of all that they depend on.

    A long stimulus is kept piece by piece while it is under way.
    """
    key = hashlib.sha256(json.dumps(extractor.facts, sort_keys=True).encode())
    for part in _content(stimulus):
        key.update(part)
    path = folder / f"{extractor.name}-{key.hexdigest()[:16]}.npz"
    if not path.exists():
        pieces = path.with_suffix(".pieces")
        extractor.extract(stimulus, pieces).save(path)
        shutil.rmtree(pieces, ignore_errors=True)
    return Features.load(path)


def _content(stimulus: Any) -> Iterator[bytes]:
    if isinstance(stimulus, pd.DataFrame):
        yield stimulus.to_csv(index=False).encode()
    elif hasattr(stimulus, "images"):
        for name, image in zip(stimulus.names, stimulus.images, strict=True):
            yield name.encode() + image.read_bytes()
    else:
        yield stimulus.samples.tobytes()
        yield str(stimulus.sfreq).encode()
