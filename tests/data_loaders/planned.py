"""Stores that are a catalog and events alone: all that is planned before a sample is read, at no cost."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from data_loaders import catalog
from data_loaders.store import Store


def planned(path: Path, headers: Sequence[Mapping[str, Any]], events: pd.DataFrame | None = None) -> Store:
    """A store of recordings that are described by `header`."""
    path.mkdir(parents=True, exist_ok=True)
    catalog.write(path / catalog.CATALOG, headers)
    none = pd.DataFrame({"onset": [0.0][:0], "duration": [0.0][:0], "recording": [0][:0]})
    (none if events is None else events).to_parquet(path / catalog.EVENTS, index=False)
    return Store(path)


def header(number: int, sfreq: float = 100.0, segments: Any = ((0.0, 10.0),), **more: Any) -> dict[str, Any]:
    """What a recording of one person says of itself."""
    ch_names = more.pop("ch_names", ["Cz"])
    name, n_chans = f"sub-{number:03d}_run-{number % 2}", len(ch_names)
    entities = {
        "study": "T",
        "subject": f"{number:03d}",
        "session": "",
        "task": "rest",
        "run": f"{number % 2}",
        "modality": "eeg",
    }
    extent = {"offset": 2048, "dtype": "<f4", "shape": [round(sfreq * 10), n_chans], "sha256": f"{number:064x}"}
    return {
        "name": name, "file": f"T/{name}.h5", "entities": entities, "sfreq": sfreq, "duration": 10.0, "ch_names": ch_names,
        "ch_types": ["eeg"] * n_chans, "units": ["V"] * n_chans, "ch_positions": [[0.0, 0.0, 0.0]] * n_chans, "bads": [],
        "segments": [list(segment) for segment in segments], "demographics": {"age": 20 + number}, "streams": {}, "gain": None,
        "offset": None, "sha256": f"{number:064x}", "size": 4096, "source": name, "key": "", "decisions": [], "history": [],
        "extents": {"signal": extent}, **more,
    }  # fmt: skip
