"""Targets: one grammar that names what to decode, whether it stands in the events, the participants or a stream.

    [source.]column[=pattern|pattern|...]

`source` is events, participants, recording or stream, and may be left out where only one has the column. Text makes
classes, numbers make values. Patterns make one class each (`trial_type=left*|right*`), and windows that match none are
left out with a printed line; `column=*` makes a class of each distinct value, also of numbers.
"""

from __future__ import annotations

import difflib
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int
from numpy import ndarray

from data_loaders.catalog import ENTITIES
from data_loaders.store import Store
from data_loaders.windows import Windows


class Target(ABC):
    """What a window is labelled with; `classes` is empty where the target is a value."""

    name: str
    classes: tuple[str, ...]
    names: tuple[str, ...]

    @property
    def n_outputs(self) -> int:
        """Number of classes, or of values."""
        return len(self.classes) or len(self.names)

    @abstractmethod
    def known(self, windows: Windows) -> ndarray:
        """True for each run of windows that has this target."""

    @abstractmethod
    def read(self, windows: Windows, index: Int[ndarray, "item"]) -> torch.Tensor:
        """Class numbers [item], or values [item, dim]."""


@dataclass(frozen=True)
class ColumnTarget(Target):
    """A column of the windows' metadata."""

    name: str
    column: str
    classes: tuple[str, ...]
    names: tuple[str, ...]
    patterns: tuple[str, ...]

    def known(self, windows: Windows) -> ndarray:
        values = self.of_runs(windows)
        return values >= 0 if self.classes else np.isfinite(values)

    def read(self, windows: Windows, index: Int[ndarray, "item"]) -> torch.Tensor:
        values = self.of_runs(windows)[windows.locate(index)[0]]
        return torch.from_numpy(values if self.classes else values.astype(np.float32)[:, None])

    # a batch asks for a few windows, and the table may have millions of runs
    @lru_cache(maxsize=16)  # noqa: B019  (a target lives as long as its data)
    def of_runs(self, windows: Windows) -> ndarray:
        """Class numbers (-1 where there is none) or values, one per run."""
        column = windows.metadata[self.column]
        if not self.classes:
            return column.to_numpy(dtype=float)
        codes, distinct = pd.factorize(column)
        # factorize gives a missing value the code -1, which picks the last entry: "no class"
        return np.array([*(self._class(_text(value)) for value in distinct), -1])[codes]

    def _class(self, value: str) -> int:
        matches = self.patterns or self.classes
        return next((number for number, pattern in enumerate(matches) if fnmatchcase(value, pattern)), -1)


@dataclass(frozen=True)
class StreamTarget(Target):
    """A stream's sample nearest to the anchor."""

    name: str
    stream: str
    names: tuple[str, ...]
    store: Store
    classes: tuple[str, ...] = ()

    def known(self, windows: Windows) -> ndarray:
        return np.array([self.stream in streams for streams in self.store.streams])[windows.recording]

    def read(self, windows: Windows, index: Int[ndarray, "item"]) -> torch.Tensor:
        run, anchor = windows.locate(index)
        recording = windows.recording[run]
        values = np.zeros((len(index), len(self.names)), np.float32)
        order = np.argsort(recording, kind="stable")
        for rows in np.split(order, np.flatnonzero(np.diff(recording[order])) + 1) if len(order) else []:
            values[rows] = self._at(int(recording[rows[0]]), anchor[rows])
        return torch.from_numpy(values)

    def _at(self, recording: int, anchor: Int[ndarray, "item"]) -> Float[ndarray, "item dim"]:
        entry = self.store.entry(recording)
        info, seconds = entry.streams[self.stream], anchor / entry.sfreq
        # half a sample past either end, the end is still the nearest
        sample = np.round((seconds - info.start) * info.sfreq).astype(np.int64).clip(0, info.shape[0] - 1)
        values = self.store.rows(recording, f"streams/{self.stream}", sample).reshape(len(anchor), -1)
        missing = np.flatnonzero(~np.isfinite(values).all(axis=1))
        if len(missing):
            when = f"{self.stream} is NaN at {seconds[missing[0]]:.3f} s"
            raise ValueError(f"{entry.name}: {when}: cut that stretch out of the recording's segments")
        return values.astype(np.float32)


def resolve(text: str, windows: Windows, store: Store) -> tuple[Target, Windows]:
    """The target that the text names, and the windows with what it needs in their metadata."""
    path, _, patterns = text.partition("=")
    source, column = _find(path, windows, store)
    if source == "stream":
        return _stream(column, store), windows
    windows = _with_participants(windows, store, column) if source == "participants" else windows
    return _column(column, tuple(p for p in patterns.split("|") if p), windows), windows


def _find(path: str, windows: Windows, store: Store) -> tuple[str, str]:
    tables = _tables(windows, store)
    head, dot, tail = path.partition(".")
    if dot and head in tables:
        if tail not in tables[head]:
            raise ValueError(_unknown(path, [f"{head}.{name}" for name in tables[head]]))
        return head, tail
    found = [source for source, columns in tables.items() if path in columns]
    if len(found) > 1:
        raise ValueError(f"target {path!r} is in {' and '.join(found)}: write {found[0]}.{path} or {found[1]}.{path}")
    if not found:
        raise ValueError(_unknown(path, [name for columns in tables.values() for name in columns]))
    return found[0], path


def _tables(windows: Windows, store: Store) -> dict[str, list[str]]:
    present = np.unique(windows.recording).tolist()
    own = {*ENTITIES, "recording_name", "segment", "sfreq"}
    return {
        "events": [str(name) for name in windows.metadata.columns if name not in own],
        "participants": _keys(store.column("demographics"), present),
        "recording": list(ENTITIES),
        "stream": _keys(store.streams, present),
    }


def _keys(columns: Sequence[Mapping[str, Any]], present: Sequence[int]) -> list[str]:
    """The names that any of these recordings has; what they share is one object, looked at once."""
    distinct = {id(columns[r]): columns[r] for r in present}
    return sorted({name for value in distinct.values() for name in value})


def _unknown(path: str, names: Sequence[str]) -> str:
    near = difflib.get_close_matches(path, names, n=1, cutoff=0.4)
    meant = f": did you mean {near[0]!r}?" if near else f": write one of {sorted(names)}"
    return f"no column or stream is called {path!r}{meant}"


def _stream(name: str, store: Store) -> StreamTarget:
    info = next(streams[name] for streams in store.streams if name in streams)
    dims = int(np.prod(info.shape[1:], dtype=int))
    names = info.names if len(info.names) == dims else tuple(f"{name}{i}" for i in range(dims))
    return StreamTarget(name, name, names, store)


def _with_participants(windows: Windows, store: Store, column: str) -> Windows:
    of = [demographics.get(column) for demographics in store.column("demographics")]
    values = [of[r] for r in windows.recording.tolist()]
    return replace(windows, metadata=windows.metadata.assign(**{column: values}))


def _column(column: str, patterns: tuple[str, ...], windows: Windows) -> ColumnTarget:
    values = windows.metadata[column].dropna()
    if not patterns and pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        return ColumnTarget(column, column, (), (column,), ())
    distinct = sorted({_text(value) for value in values}, key=_natural)
    classes = patterns if patterns and patterns != ("*",) else tuple(distinct)
    unmatched = (
        [p for p in classes if not any(fnmatchcase(value, p) for value in distinct)] if patterns != ("*",) else []
    )
    if unmatched:
        raise ValueError(
            f"target {column}: no window's value matches {unmatched[0]!r}; the values are {distinct[:20]}: mend the pattern"
        )
    if len(classes) < 2:
        raise ValueError(
            f"target {column} has one class, {classes}: there is nothing to tell apart; choose another column"
        )
    return ColumnTarget(column, column, classes, (column,), patterns if patterns != ("*",) else ())


def _text(value: object) -> str:
    """A whole number is written without its point, so that 3.0 in a column with gaps is the class 3."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _natural(text: str) -> tuple[int, float, str]:
    """Sorts classes 1, 2, 10 as numbers, before words."""
    try:
        return 0, float(text), ""
    except ValueError:
        return 1, 0.0, text
