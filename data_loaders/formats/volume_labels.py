"""One label per volume, as PyMVPA's attributes have it: stretches of one label become events, borders of runs segments."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy import ndarray

from data_loaders.formats.companions import NumberTable, companion, load_table
from data_loaders.formats.source import Source

Labelled = tuple[pd.DataFrame, ndarray | None, ndarray | None, tuple[str, ...]]


def labelled(source: Source, own: NumberTable | None, tr: float, n_volumes: int) -> Labelled:
    """What the sidecar's `labels` stands for: a file, or a column of the recording's `own` table."""
    stated = source.description["labels"]
    asked: dict[str, Any] = (
        dict(stated) if isinstance(stated, Mapping) else {"trial_type" if own else "file": str(stated)}
    )
    path = companion(source, "labels", str(asked["file"])) if "file" in asked else source.path
    table = load_table(path, asked.get("columns")) if "file" in asked else own
    if table is None:
        raise ValueError(f"{source.path.name}: labels name no file: write `labels: {{file: attributes.txt}}`")
    return events_of(table, path, asked, tr, n_volumes)


def events_of(table: NumberTable, path: Path, stated: Mapping[str, Any], tr: float, n_volumes: int) -> Labelled:
    """Events, segments, the run of each volume, and what was decided.

    `stated` has `trial_type` (the column with the label), `segment` (the column that tells runs apart), `names` (a map
    from labels to words) and `ignore` (labels that are no events). The first column is the label where none is stated.
    Raises ValueError where rows and volumes differ in number.
    """
    if len(table.frame) != n_volumes:
        raise ValueError(
            f"{path.name} has {len(table.frame)} rows of labels, but the scan has {n_volumes} volumes: give one row per volume"
        )
    kind = table.frame[table.column(stated.get("trial_type", 0), path)].map(_text)
    border = (
        table.frame[table.column(stated["segment"], path)]
        if "segment" in stated
        else pd.Series(0, index=table.frame.index)
    )
    runs = (border != border.shift()).cumsum().to_numpy() - 1
    block = ((kind != kind.shift()).to_numpy() | (np.diff(runs, prepend=0) != 0)).cumsum()
    first = np.flatnonzero(np.diff(block, prepend=block[0] - 1))
    lasts = np.diff(np.append(first, n_volumes))
    names = {_text(key): str(name) for key, name in stated.get("names", {}).items()}
    rows = pd.DataFrame(
        {"onset": first * tr, "duration": lasts * tr, "trial_type": [names.get(k, k) for k in kind.iloc[first]]}
    )
    others = [c for c in table.frame.columns if c != kind.name]
    rows = rows.join(table.frame[others].iloc[first].reset_index(drop=True).rename(columns=str))
    ignored = {_text(label) for label in stated.get("ignore", [])}
    keep = ~rows["trial_type"].isin(ignored) & ~kind.iloc[first].reset_index(drop=True).isin(ignored)
    told = [f"{int((~keep).sum())} stretches labelled {', '.join(sorted(ignored))} are no events"] if ignored else []
    if "segment" not in stated:
        return rows[keep].reset_index(drop=True), None, None, tuple(told)
    starts = np.flatnonzero(np.diff(runs, prepend=-1))
    segments = np.stack([starts, np.append(starts[1:], n_volumes)], axis=1) * tr
    told.append(f"{len(segments)} runs, by the column {stated['segment']}, are segments")
    return rows[keep].reset_index(drop=True), segments, runs, tuple(told)


def _text(value: object) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
