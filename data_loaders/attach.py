"""Attaches features of stimuli to a store: written beside it, under their own catalog, so that no recording is touched."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy import ndarray

from data_loaders.contracts import Stream
from data_loaders.features import FEATURES
from data_loaders.store import Store


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
    part = catalog.with_name(f".{FEATURES}.{os.getpid()}.tmp")
    pd.concat([part for part in (kept, pd.DataFrame(rows)) if len(part)], ignore_index=True).to_parquet(
        part, index=False
    )
    os.replace(part, catalog)
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
    """Writes the stream as an .npy file, whose data are one range of bytes."""
    values: ndarray = np.ascontiguousarray(stream.values, dtype=np.float32)
    content = hashlib.sha256(values.tobytes()).hexdigest()
    # the content is in the name: whoever has read the old catalog goes on reading the old file
    folder = re.sub(r"[^\w.-]", "_", name)
    file = f"features/{folder}/{recording}.{content[:12]}.npy"
    target = store / file
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    with open(part, "wb") as opened:
        np.lib.format.write_array(opened, values, allow_pickle=False)
        size = opened.tell()
        opened.flush()
        os.fsync(opened.fileno())
    os.replace(part, target)
    return {
        "recording": recording, "feature": name, "file": file, "size": size, "sfreq": float(stream.sfreq),
        "start": float(stream.start), "names": list(stream.names), "unit": stream.unit, "source": json.dumps(dict(source)),
        "offset": size - values.nbytes, "dtype": values.dtype.str, "shape": list(values.shape), "sha256": content,
    }  # fmt: skip
