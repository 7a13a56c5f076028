"""The catalog: one row per recording, in columns; what recordings have in common is kept once, and parsed when asked for."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Float, Int
from numpy import ndarray

from data_loaders.extents import Extent

CATALOG, EVENTS = "catalog.parquet", "events.parquet"
ENTITIES = ("study", "subject", "session", "task", "run", "modality")

# one number or word per recording: read on opening, and what users of `Store.catalog` see
_PLAIN = (
    "name", "file", *ENTITIES, "sfreq", "duration", "n_chans", "n_segments", "sha256", "size", "offset", "dtype", "shape",
)  # fmt: skip
# text that most recordings of a study share: parquet keeps each value once
_SHARED = (
    "ch_names", "ch_types", "units", "ch_columns", "space", "bads", "demographics", "streams", "decisions", "history",
)  # fmt: skip
_ARRAYS = ("ch_positions", "gain", "ch_offset")
_OWN = ("source", "key", "extents", "segments")
_FORMAT = b"brainfm_catalog"
_VERSION = b"2"
# far more than a study has; beyond, entries are made again
_KEPT = 1 << 13


@dataclass(frozen=True)
class StreamInfo:
    """What the catalog knows of a named stream. `shape[0]` counts samples."""

    sfreq: float
    start: float
    shape: tuple[int, ...]
    names: tuple[str, ...]
    unit: str


@dataclass(frozen=True)
class Entry:
    """All that the catalog holds of one recording; `sha256` is of its signal, or of its spike times."""

    name: str
    file: str
    entities: dict[str, str]
    sfreq: float
    duration: float
    ch_names: tuple[str, ...]
    ch_types: tuple[str, ...]
    units: tuple[str, ...]
    ch_positions: Float[ndarray, "channel 3"]
    ch_columns: dict[str, tuple[Any, ...]]
    space: dict[str, Any]
    bads: tuple[str, ...]
    segments: Float[ndarray, "segment 2"]
    demographics: dict[str, Any]
    streams: dict[str, StreamInfo]
    extents: dict[str, Extent]
    gain: Float[ndarray, "channel"] | None
    offset: Float[ndarray, "channel"] | None
    sha256: str
    size: int
    source: str
    key: str
    decisions: tuple[str, ...]
    history: tuple[dict[str, Any], ...]

    @property
    def n_times(self) -> int:
        """Ticks of the recording's clock."""
        return round(self.duration * self.sfreq)

    @property
    def has_spikes(self) -> bool:
        """True where the channels are units with spike times."""
        return "spikes/times" in self.extents


class Catalog:
    """Reads a catalog. Opening it reads one number or word per recording and column; the rest waits until it is asked for.

    Raises ValueError where another version of brainfm wrote it.
    """

    def __init__(self, file: Any, where: str) -> None:
        known = pq.ParquetFile(file)
        if (known.schema_arrow.metadata or {}).get(_FORMAT) != _VERSION:
            raise ValueError(f"{where} was written by another version of brainfm: run `brainfm prepare` again")
        self._file = pq.ParquetFile(file, metadata=known.metadata, read_dictionary=[*_SHARED, *_ARRAYS])
        table = self._file.read(list(_PLAIN))
        self._n, self._plain = table.num_rows, {name: _joined(table[name]) for name in _PLAIN}
        self.entry = lru_cache(maxsize=_KEPT)(self._entry)
        self._parsed = lru_cache(maxsize=_KEPT)(self._parse)

    def __len__(self) -> int:
        return self._n

    @cached_property
    def table(self) -> pd.DataFrame:
        """The plain columns, for those who select, count and sum."""
        return pa.table(self._plain).to_pandas()

    def headers(self) -> list[dict[str, Any]]:
        """The headers that lie in the files, as the catalog was made of them."""
        entries = (asdict(self._entry(recording)) for recording in range(len(self)))
        return [json.loads(json.dumps(entry, default=_listed)) for entry in entries]

    def column(self, name: str) -> list[Any]:
        """One column for all recordings, parsed: `decisions`, `key`, `ch_names`. Shared values are the same object."""
        if name not in (*_SHARED, *_ARRAYS):
            return [self._value(name, recording) for recording in range(len(self))]
        codes = self._codes(name).tolist()
        known = {code: self._parsed(name, code) for code in set(codes) - {-1}}
        return [known.get(code) for code in codes]

    def alike(self, *names: str) -> Int[ndarray, "recording"]:
        """A number for each recording, the same for those of one rate that share these columns, and nothing is parsed for it."""
        number = np.unique(self._plain["sfreq"].to_numpy(), return_inverse=True)[1]
        for codes in map(self._codes, names):
            number = np.unique(number * (codes.max(initial=0) + 2) + codes, return_inverse=True)[1]
        return number

    @cached_property
    def segments(self) -> tuple[Int[ndarray, "segment"], Float[ndarray, "segment 2"]]:
        """The segments of all recordings, and the recording of each."""
        values = self._file.read(["segments"])["segments"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
        return np.repeat(np.arange(len(self)), self._plain["n_segments"].to_numpy()), values.reshape(-1, 2)

    @cached_property
    def _details(self) -> dict[str, pa.Array]:
        columns = [name for name in (*_SHARED, *_ARRAYS, *_OWN) if name != "segments"]
        table = self._file.read(columns)
        return {name: _joined(table[name].unify_dictionaries()) for name in columns}

    @cached_property
    def _borders(self) -> Int[ndarray, "border"]:
        return np.concatenate([[0], np.cumsum(self._plain["n_segments"].to_numpy())])

    def _codes(self, name: str) -> Int[ndarray, "recording"]:
        """Which of its distinct values a shared column has for each recording; -1 where it has none."""
        return self._details[name].indices.fill_null(-1).to_numpy()

    def _value(self, name: str, recording: int) -> Any:
        column = self._details[name]
        if not isinstance(column, pa.DictionaryArray):
            value = column[recording].as_py()
            return _extents(value) if name == "extents" else value
        code = column.indices[recording].as_py()
        return None if code is None else self._parsed(name, code)

    def _parse(self, name: str, code: int) -> Any:
        value = self._details[name].dictionary[code].as_py()
        if name in _ARRAYS:
            array = np.frombuffer(value)
            return array.reshape(-1, 3) if name == "ch_positions" else array
        parsed = json.loads(value)
        if name == "streams":
            return {key: _stream(info) for key, info in parsed.items()}
        if name == "ch_columns":
            return {key: tuple(column) for key, column in parsed.items()}
        return tuple(parsed) if isinstance(parsed, list) else parsed

    def _entry(self, recording: int) -> Entry:
        recording = range(len(self))[recording]
        row = {name: self._plain[name][recording].as_py() for name in _PLAIN}
        low, high = self._borders[recording : recording + 2].tolist()
        details = {name: self._value(name, recording) for name in self._details if name != "ch_offset"}
        return Entry(
            **{name: row[name] for name in ("name", "file", "sha256", "size", "sfreq", "duration")},
            entities={name: row[name] for name in ENTITIES} | {"recording_name": row["name"]},
            segments=self.segments[1][low:high], offset=self._value("ch_offset", recording), **details,
        )  # fmt: skip


def write(path: Path, headers: Sequence[Mapping[str, Any]]) -> None:
    """Writes the catalog of these headers to a path."""
    columns = {name: pa.array([_cell(name, header) for header in headers]) for name in _columns()}
    table = pa.table(columns).replace_schema_metadata({_FORMAT: _VERSION})
    pq.write_table(table, path, use_dictionary=[*_SHARED, *_ARRAYS, *ENTITIES, "dtype"], compression="zstd")


def entry_of(header: Mapping[str, Any]) -> Entry:
    """An Entry from the header that lies in each file."""
    arrays = {name: None if header[name] is None else np.asarray(header[name], float) for name in ("gain", "offset")}
    tuples = {name: tuple(header[name]) for name in ("ch_names", "ch_types", "units", "bads", "decisions", "history")}
    made = {
        "extents": _extents(json.dumps(header["extents"])),
        "streams": {k: _stream(v) for k, v in header["streams"].items()},
        "ch_positions": np.asarray(header["ch_positions"], dtype=float).reshape(-1, 3),
        "ch_columns": {name: tuple(column) for name, column in header.get("ch_columns", {}).items()},
        "space": dict(header.get("space", {})),
        "segments": np.asarray(header["segments"], dtype=float).reshape(-1, 2),
    }
    return Entry(**{**header, **arrays, **tuples, **made})


def _columns() -> tuple[str, ...]:
    return (*_PLAIN, *_SHARED, *_ARRAYS, *_OWN)


def _cell(name: str, header: Mapping[str, Any]) -> Any:
    """One value of the catalog from the header of a file."""
    if name in ENTITIES:
        return header["entities"][name]
    if name in ("offset", "dtype", "shape"):
        return _main(header)[name]
    if name in ("n_chans", "n_segments"):
        return len(header["ch_names" if name == "n_chans" else "segments"])
    if name == "segments":
        return np.asarray(header["segments"], dtype=float).ravel().tolist()
    if name in _ARRAYS:
        values = header["offset" if name == "ch_offset" else name]
        return None if values is None else np.asarray(values, dtype=float).tobytes()
    return json.dumps(header.get(name, {})) if name in (*_SHARED, "extents") else header[name]


def _listed(value: Any) -> Any:
    return value.tolist() if isinstance(value, ndarray) else dict(value)


def _main(header: Mapping[str, Any]) -> Mapping[str, Any]:
    """Where the recording's own bytes lie: its signal, else its spikes."""
    extents = header["extents"]
    return extents.get("signal") or extents.get("spikes/times") or {"offset": 0, "dtype": "", "shape": [0]}


def _joined(column: pa.ChunkedArray) -> pa.Array:
    """A column in one piece, whose values are found without a search for their chunk."""
    joined = column.combine_chunks()
    return joined if isinstance(joined, pa.Array) else pa.concat_arrays(joined.chunks)


def _extents(text: str) -> dict[str, Extent]:
    return {key: Extent(**{**value, "shape": tuple(value["shape"])}) for key, value in json.loads(text).items()}


def _stream(info: Mapping[str, Any]) -> StreamInfo:
    return StreamInfo(**{**info, "shape": tuple(info["shape"]), "names": tuple(info["names"])})
