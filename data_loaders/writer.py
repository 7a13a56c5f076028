"""Writes recordings into a store: each file under a temporary name, then renamed, so that a kill leaves nothing half-written."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
from numpy import ndarray

from data_loaders import catalog, recorded
from data_loaders.bucket.address import is_remote, local
from data_loaders.bucket.blocks import rows_per_block
from data_loaders.catalog import CATALOG, ENTITIES, EVENTS, Entry
from data_loaders.contracts import Recording, Stream
from data_loaders.recorded import MISSING
from data_loaders.shelf import Folder, Shelf


class Writer:
    """Adds recordings to a store in a folder or behind an address; the catalog is made anew on leaving, and replaces the old one.

    with Writer("stores/mine") as writer:
        if not writer.done(key):
            writer.write(recording, key)
    """

    def __init__(self, path: str | Path | Shelf, storage_options: Mapping[str, Any] | None = None) -> None:
        self._shelf = path if isinstance(path, Shelf) else shelf_at(path, storage_options)
        # files are written here before they have their place; of a store in a folder, it is that folder
        self.path = self._shelf.folder
        self._headers = self._shelf.headers()

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *error: object) -> None:
        if self._headers:
            self.flush()

    @property
    def headers(self) -> Mapping[str, Mapping[str, Any]]:
        """What is known of each recording of the store, by file."""
        return self._headers

    def done(self, key: str) -> bool:
        """True where a finished file was made from the source with this key."""
        return any(header["key"] == key for header in self._headers.values())

    def write(self, recording: Recording, key: str = "", history: Sequence[Mapping[str, Any]] = ()) -> Entry:
        """Writes one recording. Raises ValueError where another source has already given a recording of this name."""
        self._check_free(_file_of(recording), recording.source, recording.modality)
        return self.adopt(aside(self.path, recording, key, history))

    def adopt(self, made: Aside) -> Entry:
        """Takes a file that was written aside, perhaps by another process, into the store under its own name.

        Raises ValueError, and deletes it, where another source has already given a recording of this name.
        """
        try:
            self._check_free(made.file, made.source, made.modality)
        except ValueError:
            made.path.unlink()
            raise
        header = recorded.header_of(made.path, made.path.stat().st_size)
        self._shelf.put(made.path, made.file)
        self._headers[made.file] = header
        return catalog.entry_of(header)

    def remove(self, file: str) -> None:
        """Takes a recording out of the store."""
        self._shelf.remove(file)
        del self._headers[file]

    def flush(self) -> None:
        """Writes the catalog and the table of events."""
        headers = [self._headers[file] for file in sorted(self._headers)]
        events = _all_events([self._shelf.events(header["file"]) for header in headers])
        tables = {EVENTS: self._table(EVENTS), CATALOG: self._table(CATALOG)}
        events.to_parquet(tables[EVENTS], index=False)
        catalog.write(tables[CATALOG], headers)
        self._shelf.seal(tables)

    def _table(self, name: str) -> Path:
        return self.path / f".{name}.{os.getpid()}.tmp"

    def _check_free(self, file: str, source: str, modality: str) -> None:
        kind = self._headers.get(file, {}).get("entities", {}).get("modality", modality)
        if kind != modality:
            raise ValueError(
                f"{source}: {Path(file).stem} is in {self.path} as {kind}: prepare its {modality} into another store"
            )
        other = self._headers.get(file, {}).get("source", source)
        if other != source:
            name = Path(file).stem
            raise ValueError(f"{source} and {other} are both {name}: give one of them another session or run")


@dataclass(frozen=True)
class Aside:
    """A finished file of a store that does not have its name yet."""

    path: Path
    file: str
    source: str
    modality: str


def aside(store: Path, recording: Recording, key: str = "", history: Sequence[Mapping[str, Any]] = ()) -> Aside:
    """Writes a recording's file into the folder of a store under a name that nobody reads; `Writer.adopt` gives it its own."""
    file = _file_of(recording)
    target = store / file
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    header = _header_of(recording, file, key, history)
    header["extents"] = _write_file(temporary, recording, header)
    return Aside(temporary, file, recording.source, recording.modality)


def shelf_at(place: str | Path, storage_options: Mapping[str, Any] | None = None) -> Shelf:
    """A folder of this machine, or what lies behind an address."""
    if not is_remote(place):
        return Folder(local(place))
    # fsspec's clients take long to import
    from data_loaders.bucket.upload import Bucket

    return Bucket(str(place), storage_options)


def _file_of(recording: Recording) -> str:
    return f"{recording.study or 'study'}/{recording.name}.h5"


def _header_of(recording: Recording, file: str, key: str, history: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    n_chans = len(recording.ch_names)
    positions = np.full((n_chans, 3), np.nan) if recording.ch_positions is None else recording.ch_positions
    segments = np.array([[0.0, recording.duration]]) if recording.segments is None else recording.segments
    entities = {name: getattr(recording, name) for name in ENTITIES} | {"recording_name": recording.name}
    as_int16 = _lossless(recording)
    return {
        "name": recording.name, "file": file, "entities": entities, "sfreq": float(recording.sfreq), "duration": float(recording.duration),
        "ch_names": list(recording.ch_names), "ch_types": list(recording.ch_types), "units": list(recording.units),
        "ch_positions": positions.tolist(), "bads": list(recording.bads),
        "ch_columns": _ch_columns(recording), "space": dict(recording.space), "segments": segments.tolist(),
        "demographics": {k: _plain(v) for k, v in recording.demographics.items()},
        "streams": {name: _stream_header(stream) for name, stream in recording.streams.items()},
        "gain": recording.gain.tolist() if as_int16 and recording.gain is not None else None,
        "offset": recording.offset.tolist() if as_int16 and recording.offset is not None else None,
        "source": recording.source, "key": key, "decisions": list(recording.decisions), "history": [dict(h) for h in history],
    }  # fmt: skip


def _ch_columns(recording: Recording) -> dict[str, list[Any]]:
    n_chans = len(recording.ch_names)
    for name, column in recording.ch_columns.items():
        assert len(column) == n_chans, f"ch_columns[{name!r}] has {len(column)} entries for {n_chans} channels"
    return {name: [_plain(value) for value in column] for name, column in recording.ch_columns.items()}


def _lossless(recording: Recording) -> bool:
    """True where gain and offset give the signal back from int16, to a thousandth of a step."""
    if recording.signal is None or recording.gain is None or recording.offset is None:
        return False
    for block in _blocks(recording.signal):
        steps = (block - recording.offset) / recording.gain
        if (
            not np.all((steps >= -32768.5) & (steps <= 32767.5))
            or np.max(np.abs(steps - np.round(steps)), initial=0.0) > 1e-3
        ):
            return False
    return True


def _blocks(signal: ndarray, rows: int = 1 << 16) -> list[ndarray]:
    """Views of a long array, so that conversions need little memory beside it."""
    return [signal[start : start + rows] for start in range(0, len(signal), rows)]


def _stream_header(stream: Stream) -> dict[str, Any]:
    header = {"sfreq": float(stream.sfreq), "start": float(stream.start), "shape": list(stream.values.shape)}
    return header | {"names": list(stream.names), "unit": stream.unit}


def _write_file(path: Path, recording: Recording, header: dict[str, Any]) -> dict[str, Any]:
    with h5py.File(path, "w") as file:
        if recording.signal is not None:
            _write_signal(file, recording, header["gain"] is not None)
        for name, stream in recording.streams.items():
            file[f"streams/{name}"] = np.ascontiguousarray(stream.values)
        if recording.spikes is not None:
            file["spikes/times"] = recording.spikes.times.astype(np.float64)
            file["spikes/channels"] = recording.spikes.channels.astype(np.int32)
        _write_events(file, recording.events)
        file.flush()
        header["extents"] = {name: extent_of(file, name) for name in _datasets(file)}
        header["sha256"] = _content(header["extents"])
        # a dataset, not an attribute: attributes end at 64 kB, and a header with many channels is longer
        file["header"] = json.dumps(header)
    return header["extents"]


def _write_signal(file: h5py.File, recording: Recording, as_int16: bool) -> None:
    assert recording.signal is not None
    dataset = file.create_dataset("signal", recording.signal.shape, np.int16 if as_int16 else np.float32)
    for index, block in enumerate(_blocks(recording.signal)):
        steps = np.round((block - recording.offset) / recording.gain) if as_int16 else block
        dataset[index << 16 : (index << 16) + len(block)] = steps


def _datasets(file: h5py.File) -> list[str]:
    names: list[str] = []
    file.visititems(
        lambda name, item: (
            names.append(name) if isinstance(item, h5py.Dataset) and not name.startswith("events/") else None
        )
    )
    return names


def extent_of(file: h5py.File, name: str) -> dict[str, Any]:
    """Where a dataset lies in its file, and its checksums; those of blocks, where it is longer than one, join the file."""
    dataset = file[name]
    whole, sums = _digests(dataset)
    # a dataset without a single value has no bytes and so no offset
    extent = {"offset": _offset(dataset), "dtype": dataset.dtype.str, "shape": list(dataset.shape), "sha256": whole}
    if len(sums) < 2:
        return extent
    # beside the data, not in the catalog: a reader wants the list of the recording that it reads, and of no other
    listed = file.create_dataset(f"checksums/{name}", data=np.frombuffer(b"".join(sums), np.uint8))
    file.flush()
    return extent | {"sums_offset": _offset(listed), "sums_sha256": hashlib.sha256(b"".join(sums)).hexdigest()}


def _digests(dataset: h5py.Dataset) -> tuple[str, list[bytes]]:
    """The checksum of a dataset, and of each of its blocks."""
    whole, sums = hashlib.sha256(), []
    rows = rows_per_block(dataset.dtype.itemsize * math.prod(dataset.shape[1:]))
    for start in range(0, len(dataset), rows):
        block = np.ascontiguousarray(dataset[start : start + rows]).tobytes()
        whole.update(block)
        sums.append(hashlib.sha256(block).digest())
    return whole.hexdigest(), sums


def _offset(dataset: h5py.Dataset) -> int:
    return int(dataset.id.get_offset() or 0) if dataset.size else 0


def _content(extents: dict[str, Any]) -> str:
    """The checksum that names the recording's content: its signal, else its spikes."""
    return next((extents[name]["sha256"] for name in ("signal", "spikes/times") if name in extents), "")


def _write_events(file: h5py.File, events: pd.DataFrame | None) -> None:
    for name, column in (pd.DataFrame({"onset": []}) if events is None else events).items():
        if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
            file[f"events/{name}"] = column.to_numpy(dtype=float)
        else:
            text = column.map(str, na_action="ignore").fillna(MISSING).to_list()
            file.create_dataset(f"events/{name}", data=text, dtype=h5py.string_dtype("utf-8"))


def _all_events(each: Sequence[pd.DataFrame]) -> pd.DataFrame:
    tables = [table.assign(recording=index) for index, table in enumerate(each)]
    table = pd.concat([t for t in tables if len(t)] or tables[:1], ignore_index=True)
    mixed = [name for name in table.columns if table[name].dtype == object]
    return table.assign(**{name: table[name].map(str, na_action="ignore") for name in mixed}).astype({"recording": int})


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
