"""Attaches features of stimuli to a store: written beside it, under their own catalog, so that no recording is touched."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
from numpy import ndarray

from data_loaders.contracts import Stream
from data_loaders.features import FEATURES
from data_loaders.shelf import replace_file, seal
from data_loaders.store import Store
from data_loaders.writer import extent_of


def attach(store: Path, name: str, streams: Mapping[str, Stream], source: Mapping[str, Any]) -> None:
    """Writes a feature's stream for each recording named, and then the catalog; a store opened afterwards has them.

    `source` says how they were made. A feature of that name is replaced whole, so that no recording keeps an old one.
    Raises ValueError for a recording that the store lacks, or where its own stream has that name.
    """
    _check(name, streams, Store(store))
    rows = [_row(store, name, recording, stream, source) for recording, stream in streams.items()]
    catalog = store / FEATURES
    old = pd.read_parquet(catalog) if catalog.exists() else pd.DataFrame(columns=["feature", "file"])
    kept, gone = old[old["feature"] != name], old[old["feature"] == name]
    table = pd.concat([part for part in (kept, pd.DataFrame(rows)) if len(part)], ignore_index=True)
    replace_file(catalog, lambda path: table.to_parquet(path, index=False))
    seal(store)
    for file in set(gone["file"]) - {row["file"] for row in rows}:
        (store / file).unlink(missing_ok=True)


def _check(name: str, streams: Mapping[str, Stream], store: Store) -> None:
    entries = {entry.name: entry for entry in map(store.entry, range(len(store)))}
    unknown = sorted(set(streams) - set(entries))
    if unknown or not streams:
        raise ValueError(f"the store has no recording {unknown[:3]}: name some of {sorted(entries)[:5]}")
    for recording in streams:
        if name in entries[recording].streams and store.features.find(recording, name) is None:
            raise ValueError(f"{recording} has a stream of its own called {name!r}: give the feature another name")


def _row(store: Path, name: str, recording: str, stream: Stream, source: Mapping[str, Any]) -> dict[str, Any]:
    """Writes the stream as a file of its own, and tells what the catalog holds of it."""
    values: ndarray = np.ascontiguousarray(stream.values, dtype=np.float32)
    # the content is in the name: whoever has read the old catalog goes on reading the old file
    folder, content = re.sub(r"[^\w.-]", "_", name), hashlib.sha256(values.tobytes()).hexdigest()
    file = f"features/{folder}/{recording}.{content[:12]}.hdf5"
    (store / file).parent.mkdir(parents=True, exist_ok=True)
    extent: dict[str, Any] = {}

    def write(path: Path) -> None:
        with h5py.File(path, "w") as opened:
            opened["values"] = values
            opened.flush()
            extent.update({"sums_offset": 0, "sums_sha256": ""} | extent_of(opened, "values"))

    replace_file(store / file, write)
    return {
        "recording": recording, "feature": name, "file": file, "size": (store / file).stat().st_size, "sfreq": float(stream.sfreq),
        "start": float(stream.start), "names": list(stream.names), "unit": stream.unit, "source": json.dumps(dict(source)), **extent,
    }  # fmt: skip
