"""Files that a sidecar names beside a recording: masks, confounds, labels, streams; found by pattern, read as tables."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from glob import escape
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from numpy import ndarray

from data_loaders.contracts import Stream
from data_loaders.formats.scan import DamagedError
from data_loaders.formats.separators import SUFFIXES, dialect
from data_loaders.formats.source import Source


def companion(source: Source, key: str, pattern: str) -> Path:
    """The one file that `pattern` stands for: {subject}, {session}, {task}, {run} are filled in, * stands for anything.

    Looked for beside the recording, then below the root. Raises ValueError where there is none, or more than one.
    """
    return only(source.path, source.root, source.entities, key, pattern)


def only(path: Path, root: Path, entities: Mapping[str, str], key: str, pattern: str) -> Path:
    """`companion`, before there is a source."""
    found = candidates(path, root, entities, pattern)
    if len(found) != 1:
        names = ", ".join(p.name for p in found[:4]) or "none"
        raise ValueError(f"{path.name}: {key} names {pattern!r}, of which there is {names}, expected one file beside it "
                         f"or below {root.name}: "
                         f"mend `{key}` in the sidecar")  # fmt: skip
    return found[0]


def candidates(path: Path, root: Path, entities: Mapping[str, str], pattern: str) -> list[Path]:
    """All files that the pattern stands for, in the first folder that has one."""
    filled = pattern
    for name in ("study", "subject", "session", "task", "run"):
        filled = filled.replace(f"{{{name}}}", escape(str(entities.get(name, ""))))
    if Path(pattern).is_absolute():
        return [p for p in [Path(filled)] if p.is_file()]
    for folder in (path.parent, root if root.is_dir() else root.parent):
        found = sorted(p for p in folder.glob(filled) if p.is_file())
        if found:
            return found
    return []


def file_of(source: Source, key: str) -> Path | None:
    """The file that one key of the sidecar names, itself or under `file`."""
    stated = source.description.get(key)
    name = (
        stated.get("file")
        if isinstance(stated, Mapping)
        else stated
        if isinstance(stated, str) and "." in stated
        else None
    )
    return None if name is None else companion(source, key, str(name))


@dataclass(frozen=True)
class NumberTable:
    """A table of one row per volume (or any clock); `named` is False where the file has no header."""

    frame: pd.DataFrame
    named: bool

    def numbers(self, columns: list[Any] | None, path: Path) -> tuple[Float[ndarray, "row column"], tuple[str, ...]]:
        """Some columns, by name or by number from 0, as floats. Raises ValueError that names what is no number."""
        picked = self.frame if columns is None else self.frame[[self.column(c, path) for c in columns]]
        out = picked.apply(pd.to_numeric, errors="coerce")
        wrong = np.argwhere((out.isna() & picked.notna()).to_numpy())
        if len(wrong):
            row, column = wrong[0]
            raise ValueError(f"{path.name}: row {row + 1} of column {picked.columns[column]!r} holds "
                             f"{picked.iat[row, column]!r}, expected a "
                             f"number: name the columns that are numbers in `columns`, or mend the file")  # fmt: skip
        return out.to_numpy(dtype=float), tuple(map(str, picked.columns))

    def column(self, name: Any, path: Path) -> Any:
        """The table's own key for a column. Raises ValueError with the columns there are."""
        if name in self.frame.columns:
            return name
        if isinstance(name, int) and 0 <= name < self.frame.shape[1]:
            return self.frame.columns[name]
        raise ValueError(
            f"{path.name} has no column {name!r}; it has {list(map(str, self.frame.columns))[:12]}: mend the sidecar"
        )


def load_table(path: Path, columns: list[str] | None = None) -> NumberTable:
    """A .csv, .tsv or .txt table; its first row is a header where it is not all numbers. `columns` names those of one without.

    Raises DamagedError where rows differ in length or the file is no text.
    """
    options: dict[str, Any] = {
        **(dialect(path) if path.suffix.lower() in SUFFIXES else {"sep": r"\s+"}),
        "na_values": ["n/a"],
        "encoding": "utf-8-sig",
        "comment": "#" if path.suffix == ".txt" else None,
    }
    try:
        first = pd.read_csv(path, header=None, nrows=1, dtype=str, **options)
        numbers = first.apply(lambda cells: cells.str.replace(options.get("decimal", "."), ".", regex=False))
        named = columns is None and not bool(numbers.apply(pd.to_numeric, errors="coerce").notna().all(axis=None))
        twice = sorted(set(first.iloc[0][first.iloc[0].duplicated()].astype(str))) if named else []
        with warnings.catch_warnings():
            # a row that is longer than the header
            warnings.simplefilter("error", pd.errors.ParserWarning)
            frame = pd.read_csv(path, header=0 if named else None, index_col=False, **options)
    except (ValueError, OSError, pd.errors.ParserError, pd.errors.ParserWarning) as error:
        raise DamagedError(path, " ".join(str(error).split())[:200]) from error
    if columns is not None:
        if len(columns) != frame.shape[1]:
            raise ValueError(
                f"{path.name} has {frame.shape[1]} columns, but the sidecar names {len(columns)}: name each, in order"
            )
        frame.columns = pd.Index(columns)
    if twice or frame.empty:
        raise DamagedError(path, f"its header has {twice[:3]} twice" if twice else "it has no row of numbers")
    return NumberTable(frame, named)


def streams_of(
    source: Source, tr: float, n_volumes: int, own: NumberTable | None = None
) -> tuple[dict[str, Stream], list[str]]:
    """The streams that the sidecar's `streams` describes, on their own clocks, and what was decided.

    Raises ValueError where a file has another number of rows than the scan has volumes, and nothing says why.
    """
    streams: dict[str, Stream] = {}
    told: list[str] = []
    for name, stated in source.description.get("streams", {}).items():
        asked: dict[str, Any] = {"file": stated} if isinstance(stated, str) else dict(stated)
        path = companion(source, f"streams.{name}", str(asked["file"])) if "file" in asked else source.path
        table = load_table(path) if "file" in asked else own
        if table is None:
            raise ValueError(
                f"{source.path.name}: the stream {name} needs a file: write `streams: {{{name}: {{file: NAME.txt}}}}`"
            )
        values, names = table.numbers(asked.get("columns"), path)
        names = tuple(map(str, asked.get("names", names if table.named else ())))
        sfreq, start = float(asked.get("sfreq", 1 / tr)), float(asked.get("start", 0.0))
        if len(values) != n_volumes and not {"sfreq", "start"} & set(asked):
            early = (len(values) - n_volumes) * tr
            raise ValueError(f"{path.name} has {len(values)} rows, but {source.path.name} has {n_volumes} volumes: if the "
                             f"first rows lie before "
                             f"the first volume write `start: {-early:g}` (seconds) in streams.{name}, or state its `sfreq`")  # fmt: skip
        missing = int((~np.isfinite(values)).any(axis=1).sum())
        if missing:
            told.append(f"the stream {name} has {missing} rows with missing values, which stay NaN")
        if asked.get("detrend"):
            values = _without_line(values, name, path)
            told.append(f"a line is taken out of each column of the stream {name}")
        streams[name] = Stream(values.astype(np.float32), sfreq, start, names, str(asked.get("unit", "")))
    return streams, told


def _without_line(values: Float[ndarray, "time column"], name: str, path: Path) -> Float[ndarray, "time column"]:
    """The residual of a line through each column: a detrended scan cannot be explained by what still drifts."""
    if not np.isfinite(values).all():
        raise ValueError(
            f"{path.name} has missing values, through which no line goes: leave detrend out of streams.{name}"
        )
    time = np.linspace(-1, 1, len(values))
    centred = values - values.mean(0)
    return centred - np.outer(time, time @ centred / (time @ time))
