"""A store of very many recordings of which only the catalog is large: what is planned over them, and what that costs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

N_RECORDINGS, N_CHANS, SFREQ, SECONDS = 100_000, 64, 250.0, 600.0


def write_big(path: Path, n_sets: int = 1, n_segments: int = 1, n_events: int = 0, signal: bool = False) -> Path:
    """A store of 100,000 recordings of 10 minutes with `n_sets` sets of 63 or 64 channels, made by a process of its own.

    Without `signal` there is a catalog alone; with it all recordings are the same silence, one file that takes no room on
    disk, so that whoever reads finds bytes. What writing took is not left in this process.
    """
    if not path.exists():
        pid = os.fork()
        if not pid:
            _write(path, n_sets, n_segments, n_events, signal)
            os._exit(0)
        os.waitpid(pid, 0)
    return path


def _write(path: Path, n_sets: int, n_segments: int, n_events: int, signal: bool) -> None:
    from data_loaders import catalog

    (path / "S").mkdir(parents=True)
    n_bytes = 2048 + round(SFREQ * SECONDS) * N_CHANS * 2
    if signal:
        (path / "S" / "all.h5").touch()
        os.truncate(path / "S" / "all.h5", n_bytes)
    shared = [_shared(number, n_segments) | {"size": n_bytes} for number in range(n_sets)]
    catalog.write(path / catalog.CATALOG, [shared[n % n_sets] | _own(n, n_sets) for n in range(N_RECORDINGS)])
    of = np.repeat(np.arange(N_RECORDINGS), n_events) if n_events else np.zeros(1, np.int64)
    onset = np.tile(SECONDS * (np.arange(n_events) + 0.5) / n_events, N_RECORDINGS) if n_events else np.zeros(1)
    events = {"onset": onset, "duration": 1.0, "trial_type": np.where(np.arange(len(of)) % 2, "left", "right")}
    pd.DataFrame(events | {"recording": of}).to_parquet(path / catalog.EVENTS)


def _shared(number: int, n_segments: int) -> dict[str, Any]:
    """What all recordings with a set of channels have in common."""
    names = [f"E{number}_{i}" if number else f"E{i}" for i in range(N_CHANS - number % 2)]
    n, borders = len(names), np.linspace(0, SECONDS, n_segments + 1)
    return {
        "sfreq": SFREQ, "duration": SECONDS, "ch_names": names, "ch_types": ["eeg"] * n, "units": ["V"] * n,
        "ch_positions": np.ones((n, 3)).tolist(), "bads": [], "streams": {}, "gain": [1e-7] * n, "offset": [0.0] * n,
        "segments": np.stack([borders[:-1], borders[1:]], axis=1).tolist(), "decisions": [], "history": [],
    }  # fmt: skip


def _own(number: int, n_sets: int) -> dict[str, Any]:
    name, sha256 = f"sub-{number:06d}", f"{number:064x}"
    entities = {"study": "S", "subject": f"{number:06d}", "session": "", "task": "rest", "run": "", "modality": "eeg"}
    shape = [round(SFREQ * SECONDS), N_CHANS - number % n_sets % 2]
    extent = {"offset": 2048, "dtype": "<i2", "shape": shape, "sha256": sha256}
    return {
        "name": name, "file": "S/all.h5", "entities": entities, "demographics": {"age": number % 80}, "sha256": sha256,
        "source": f"/data/{name}.edf", "key": f"{number:040x}", "extents": {"signal": extent},
    }  # fmt: skip
