"""Writes recordings into a store: each file under a temporary name, then renamed, so that a kill leaves nothing half-written."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
from numpy import ndarray

from data_loaders import catalog
from data_loaders.bucket import manifest
from data_loaders.bucket.blocks import rows_per_block
from data_loaders.bucket.manifest import MANIFEST
from data_loaders.catalog import CATALOG, ENTITIES, EVENTS, Entry
from data_loaders.contracts import Recording, Stream
from data_loaders.features import FEATURES

# BIDS writes a missing value so
_MISSING = "n/a"


class Writer:
    """Adds recordings to a store; the catalog is made anew from the files on leaving, and replaces the old one at once.

    with Writer("stores/mine") as writer:
        if not writer.done(key):
            writer.write(recording, key)
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.path.mkdir(parents=True, exist_ok=True)
        for leftover in self.path.rglob(".*.tmp"):
            leftover.unlink()
        self._headers = {str(file.relative_to(self.path)): _header(file) for file in sorted(self.path.rglob("*.h5"))}

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *error: object) -> None:
        if self._headers:
            self.flush()

    def done(self, key: str) -> bool:
        """True where a finished file was made from the source with this key."""
        return any(header["key"] == key for header in self._headers.values())

    def write(self, recording: Recording, key: str = "", history: Sequence[Mapping[str, Any]] = ()) -> Entry:
        """Writes one recording. Raises ValueError where another source has already given a recording of this name."""
        file = f"{recording.study or 'study'}/{recording.name}.h5"
        other = self._headers.get(file, {}).get("source", recording.source)
        if other != recording.source:
            raise ValueError(
                f"{recording.source} and {other} are both {recording.name}: give one of them another session or run"
            )
        target = self.path / file
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
        header = _header_of(recording, file, key, history)
        header["extents"] = _write_file(temporary, recording, header)
        _finish(temporary, target)
        header = self._headers[file] = _header(target)
        return catalog.entry_of(header)

    def flush(self) -> None:
        """Writes the catalog and the table of events."""
        headers = [self._headers[file] for file in sorted(self._headers)]
        events = _all_events(self.path, headers)
        replace_file(self.path / EVENTS, partial(events.to_parquet, index=False))
        replace_file(self.path / CATALOG, partial(catalog.write, headers=headers))
        seal(self.path)


def seal(store: Path) -> None:
    """Writes the manifest, last of all: a reader over a network takes the tables only together, as it lists them."""
    tables = manifest.written(path for name in (EVENTS, CATALOG, FEATURES) if (path := store / name).exists())
    replace_file(store / MANIFEST, lambda path: path.write_bytes(tables))


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
            text = column.map(str, na_action="ignore").fillna(_MISSING).to_list()
            file.create_dataset(f"events/{name}", data=text, dtype=h5py.string_dtype("utf-8"))


def _header(path: Path) -> dict[str, Any]:
    with h5py.File(path) as file:
        return json.loads(file["header"][()]) | {"size": path.stat().st_size}


def _all_events(path: Path, headers: list[dict[str, Any]]) -> pd.DataFrame:
    tables = [_read_events(path / header["file"]).assign(recording=index) for index, header in enumerate(headers)]
    table = pd.concat([t for t in tables if len(t)] or tables[:1], ignore_index=True)
    mixed = [name for name in table.columns if table[name].dtype == object]
    return table.assign(**{name: table[name].map(str, na_action="ignore") for name in mixed}).astype({"recording": int})


def _read_events(path: Path) -> pd.DataFrame:
    with h5py.File(path) as file:
        return pd.DataFrame({name: _column(column) for name, column in file.get("events", {}).items()})


def _column(column: h5py.Dataset) -> ndarray:
    if not h5py.check_string_dtype(column.dtype):
        return column[()]
    return np.array([None if text == _MISSING else text for text in column.asstr()[()]], dtype=object)


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def replace_file(target: Path, write: Callable[[Path], Any]) -> None:
    """Lets `write` write under another name, which then becomes the target's."""
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    write(temporary)
    _finish(temporary, target)


def _finish(temporary: Path, target: Path) -> None:
    with open(temporary, "rb") as file:
        os.fsync(file.fileno())
    os.replace(temporary, target)
