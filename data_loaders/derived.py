"""Derived stores: filters and resampling run once over whole segments, and the result is kept beside the store."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from rich.progress import track

from data_loaders.bucket.settings import cache_folder
from data_loaders.catalog import Entry
from data_loaders.contracts import Recording, Stream
from data_loaders.fields import info_of
from data_loaders.locks import alone
from data_loaders.store import Store
from data_loaders.transforms.base import SignalInfo, TooShortError, Transform, apply
from data_loaders.writer import Writer


def materialise(store: Store, transforms: Sequence[Transform]) -> Store:
    """The store after these continuous transforms, made once per combination and found again after.

    A killed run leaves the finished recordings, and the next continues; of two runs that need the same, one waits. It lies
    in `<store>.derived`; in the cache of this machine where $BRAINFM_CACHE names one or the store is behind an address. It
    may be deleted at any time.
    """
    if not transforms:
        return store
    history = [describe(transform) for transform in transforms]
    target = _home(store.path) / _digest(
        [str(sha) + key for sha, key in zip(store.catalog["sha256"], store.column("key"), strict=True)], history
    )
    with alone(target, waits=True, every_rank=True), Writer(target) as writer:
        keys = [_key(*named) for named in zip(store.catalog["name"], store.catalog["sha256"], strict=True)]
        todo = [i for i, key in enumerate(keys) if not writer.done(key)]
        names = ", ".join(type(transform).__name__ for transform in transforms)
        for i in track(todo, f"{names} ({len(todo)} recordings)", disable=not todo):
            writer.write(_changed(store, i, transforms), keys[i], [*store.entry(i).history, *history])
    return Store(target, features=store.features)


def _home(path: str | Path) -> Path:
    if isinstance(path, str) or os.environ.get("BRAINFM_CACHE"):
        return cache_folder() / "derived"
    return path.with_name(f"{path.name}.derived")


def describe(transform: Transform) -> dict[str, Any]:
    """The class and settings of a transform, in plain values."""
    settings = {name: value for name, value in vars(transform).items() if not name.startswith("_")}
    reach = {"reach": transform.reach, "causal": transform.causal}
    return json.loads(json.dumps({"transform": type(transform).__name__, **settings, **reach}, default=str))


def _digest(keys: list[str], history: list[dict[str, Any]]) -> str:
    return hashlib.sha256(json.dumps([keys, history]).encode()).hexdigest()[:16]


def _key(name: str, sha256: str) -> str:
    return f"{name} {sha256}"


def _changed(store: Store, index: int, transforms: Sequence[Transform]) -> Recording:
    entry = store.entry(index)
    if entry.has_spikes:
        raise ValueError(
            f"{entry.name} holds spikes, which {type(transforms[0]).__name__} cannot filter: leave it out of transforms"
        )
    info = info_of(entry, index, None)
    out = info
    for transform in transforms:
        out = transform.plan(out)
    signal, segments, decisions = _segments(store, index, transforms, info, out)
    return Recording(
        **_entities(entry),
        sfreq=out.sfreq, ch_names=out.ch_names, ch_types=out.ch_types, ch_positions=out.ch_positions,
        ch_columns=out.ch_columns, space=entry.space,
        units=_units(entry, out),
        bads=tuple(out.bads), duration=len(signal) / out.sfreq, signal=signal, segments=segments,
        streams={name: _stream(store, index, name) for name in entry.streams},
        events=store.events_of(index),
        demographics=entry.demographics, source=entry.source, decisions=(*entry.decisions, *decisions),
    )  # fmt: skip


def _units(entry: Entry, out: SignalInfo) -> tuple[str, ...]:
    """The unit of each channel by its name, else (an edge, a pair of contacts) that of its type."""
    by_type = dict(zip(entry.ch_types, entry.units, strict=False))
    by_name = dict(zip(entry.ch_names, entry.units, strict=False))
    return tuple(by_name.get(n, by_type.get(k, "")) for n, k in zip(out.ch_names, out.ch_types, strict=True))


def _entities(entry: Entry) -> dict[str, Any]:
    return {name: value for name, value in entry.entities.items() if name != "recording_name"}


def _segments(
    store: Store, index: int, transforms: Sequence[Transform], info: SignalInfo, out: SignalInfo
) -> tuple[Float[ndarray, "time channel"], Float[ndarray, "segment 2"], list[str]]:
    """Runs the chain over each segment on its own: nothing leaks across a border, or out of a cut stretch.

    Segments shorter than a filter (between two bad spans, say) are left out, and that is printed; where all are, the
    filter is refused.
    """
    entry = store.entry(index)
    signal = np.zeros((round(entry.duration * out.sfreq), len(out.ch_names)), np.float32)
    borders, short = [], []
    for start, stop in entry.segments:
        low, high = round(start * entry.sfreq), round(stop * entry.sfreq)
        raw = store.signal(index, low, high).T.astype(np.float64)  # [channel, time]
        try:
            changed, _ = apply(transforms, raw, info)
        except TooShortError as error:
            short.append(error)
            continue
        first = round(start * out.sfreq)
        length = min(changed.shape[1], len(signal) - first)
        signal[first : first + length] = changed[:, :length].T
        borders.append((first / out.sfreq, (first + length) / out.sfreq))
    if not borders:
        raise short[0]
    return signal, np.array(borders), _told(entry, short)


def _told(entry: Entry, short: list[TooShortError]) -> list[str]:
    if not short:
        return []
    decision = f"{len(short)} of {len(entry.segments)} segments are shorter than a filter and left out ({short[0]})"
    print(f"{entry.name}: {decision}")
    return [decision]


def _stream(store: Store, index: int, name: str) -> Stream:
    info = store.entry(index).streams[name]
    values = np.asarray(store.stream(index, name, 0, info.shape[0]))
    return Stream(values, info.sfreq, info.start, info.names, info.unit)
