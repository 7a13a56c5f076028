"""Folders of phy and Kilosort: spike_times.npy, spike_clusters.npy, the tables of clusters, and params.py, which is never run.

The verdict of the curator (cluster_group.tsv) is the column `quality`, and where there is none, Kilosort's own
(cluster_KSLabel.tsv). Clusters called noise are left out unless `keep` asks for qualities. Units sit where their strongest
channel is: by cluster_info.tsv, else by Kilosort's templates (`data_loaders.formats.phy_templates`). Behaviour and trials lie in
files that the sidecar names (`brainfm.yaml` in the folder), as `data_loaders.formats.stated` describes:

    modality: spikes
    spikes:
      sfreq: 30000                   # only where params.py does not say it
      streams: {position: {file: ../tracking.csv, values: x, timestamps: t}}

Layout: https://phy.readthedocs.io/en/latest/sorting_user_guide/
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from numpy import ndarray

from data_loaders.formats import phy_templates
from data_loaders.formats.array_files import load_arrays
from data_loaders.formats.electrodes import columns_of
from data_loaders.formats.participants import read_table
from data_loaders.formats.spike_session import SpikeSession
from data_loaders.formats.stated import KEYS, Arrays, check_keys, segments_of, series_of, trials_of

FILES = ("spike_times.npy", "spike_clusters.npy")
_KEYS = KEYS | {"sfreq"}
_UNSETTLED = {"", "unsorted", "nan"}


def is_phy(folder: Path) -> bool:
    """True for a folder with spike times and the cluster of each."""
    return (folder / FILES[0]).is_file() and any(
        (folder / name).is_file() for name in (FILES[1], "spike_templates.npy")
    )


def load(folder: Path, description: Mapping[str, Any], entities: Mapping[str, str]) -> SpikeSession:
    """The units of a folder; seconds count from the recording's first sample. Raises ValueError that names the folder."""
    stated = description.get("spikes", {})
    check_keys(stated, _KEYS, "spikes", folder)
    ticks = _vector(folder, FILES[0])
    clusters = _vector(folder, FILES[1] if (folder / FILES[1]).is_file() else "spike_templates.npy")
    ids = np.unique(clusters)
    arrays = Arrays(folder, "spikes")
    columns = _columns(folder, ids)
    placed, said = ({}, ()) if "ch" in columns else phy_templates.channels(folder, clusters, ids)
    columns |= placed
    told = said + (
        ()
        if "quality" in columns
        else ("no table says what clusters are (cluster_group.tsv): all come in, noise among them",)
    )
    return SpikeSession(
        entities=entities, ch_names=tuple(f"unit{i}" for i in ids.tolist()), times=ticks / _rate(folder, stated),
        units=np.searchsorted(ids, clusters), series=series_of(arrays, stated), events=trials_of(arrays, stated.get("trials")),
        segments=segments_of(arrays, stated.get("segments")), columns=columns, positions=_positions(folder, columns),
        duration=None if stated.get("duration") is None else float(stated["duration"]), demographics=stated.get("demographics", {}),
        decisions=told,
    )  # fmt: skip


def keep_of(description: Mapping[str, Any], session: SpikeSession) -> dict[str, Any]:
    """What to keep: as the sidecar says, else everything but noise."""
    keep = dict(description.get("keep", {}))
    if keep or "quality" not in session.columns:
        return keep
    left = sorted(set(session.columns["quality"]) - {"noise"})
    return {"quality": left} if len(left) < len(set(session.columns["quality"])) else {}


def params(folder: Path) -> dict[str, Any]:
    """The assignments of params.py whose right side is a plain value; nothing in it is executed."""
    path = folder / "params.py"
    if not path.is_file():
        return {}
    try:
        body = ast.parse(path.read_text(encoding="utf-8")).body
    except (SyntaxError, ValueError) as error:
        raise ValueError(
            f"{folder.name}: params.py cannot be parsed ({error}): mend it, or state `spikes: {{sfreq: 30000}}`"
        ) from error
    found: dict[str, Any] = {}
    for line in body:
        if isinstance(line, ast.Assign) and len(line.targets) == 1 and isinstance(line.targets[0], ast.Name):
            try:
                found[line.targets[0].id] = ast.literal_eval(line.value)
            except ValueError:  # an expression: it would have to be run
                continue
    return found


def _rate(folder: Path, stated: Mapping[str, Any]) -> float:
    rate = stated.get("sfreq", params(folder).get("sample_rate"))
    if not isinstance(rate, int | float) or not np.isfinite(rate) or rate <= 0:
        raise ValueError(f"{folder.name}: params.py states no usable sample_rate ({rate!r}): add `spikes: {{sfreq: 30000}}` (hertz) to "
                         f"brainfm.yaml in the folder")  # fmt: skip
    return float(rate)


def _vector(folder: Path, name: str) -> Int[ndarray, "spike"]:
    values = next(iter(load_arrays(folder / name).values()))
    if values.dtype.kind not in "iu" and not (values.dtype.kind == "f" and np.array_equal(values, np.round(values))):
        raise ValueError(
            f"{folder.name}: {name} holds {values.dtype}, expected whole numbers: samples and numbers of clusters"
        )
    return values.ravel().astype(np.int64)


def _columns(folder: Path, ids: Int[ndarray, "unit"]) -> dict[str, tuple[Any, ...]]:
    """Every column of every cluster table, one entry per unit."""
    table = pd.DataFrame(index=pd.Index(ids))
    # phy 1 called the table of verdicts cluster_groups.csv, and put tabs into it
    tables = [*folder.glob("cluster_*.tsv"), *folder.glob("cluster_group*.csv")]
    for path in sorted(tables, key=lambda path: (path.name == "cluster_info.tsv", path.suffix, path.name)):
        rows = _table(path, folder)
        table = table.join(rows[[name for name in rows if name not in table]])
    found = columns_of(table)
    group = found.get("group", found.get("KSLabel"))
    if group is None:
        return found
    labels = found.get("KSLabel", group)
    quality = tuple(str(k) if str(g) in _UNSETTLED else str(g) for g, k in zip(group, labels, strict=True))
    return {name: column for name, column in found.items() if name != "group"} | {"quality": quality}


def _table(path: Path, folder: Path) -> pd.DataFrame:
    rows = read_table(path)
    key = next((name for name in ("cluster_id", "id") if name in rows), None)
    if key is None or rows[key].duplicated().any():
        wrong = f"has the columns {list(rows)}, none of them cluster_id" if key is None else "names a cluster twice"
        raise ValueError(f"{folder.name}: {path.name} {wrong}: save it again from phy")
    return rows.set_index(pd.to_numeric(rows[key], errors="coerce")).drop(columns=key)


def _positions(folder: Path, columns: Mapping[str, tuple[Any, ...]]) -> Float[ndarray, "unit 3"] | None:
    """Where the strongest channel of each unit sits on the probe: x across, y along, in metres from its origin."""
    if "ch" not in columns or not (folder / "channel_positions.npy").is_file():
        return None
    sites = next(iter(load_arrays(folder / "channel_positions.npy").values())) * 1e-6  # [channel, 2]
    channels = np.array(columns["ch"], dtype=float)
    known = np.isfinite(channels) & (channels >= 0) & (channels < len(sites))
    positions = np.full((len(channels), 3), np.nan)
    positions[known] = np.c_[sites[channels[known].astype(int)], np.zeros(known.sum())]
    return positions
