"""Which recordings hold the same neurons: runs of one session share their units, sessions do not."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from data_loaders.catalog import Entry
from data_loaders.store import Store

_SAME = ("study", "subject", "session")


def unit_facts(store: Store) -> dict[str, Any]:
    """How many units each set has, the set of each recording, and what is known of each unit.

    `unit_metadata` has a row for each unit of all sets: its place (x, y, z) and every numeric column that all recordings
    have of their channels, each scaled to unit variance over units; NaN where unknown, None where nothing is known.
    """
    keys = list(zip(*(store.catalog[name] for name in _SAME), store.column("ch_names"), strict=True))
    first: dict[tuple[Any, ...], int] = {}
    for index, key in enumerate(keys):
        first.setdefault(key, index)
    entries, number = [store.entry(index) for index in first.values()], {key: i for i, key in enumerate(first)}
    set_of = [number[key] for key in keys]
    facts: dict[str, Any] = {"n_units": [len(entry.ch_names) for entry in entries], "set_of": set_of}
    known = _metadata(entries)
    return facts | ({} if known is None else {"unit_metadata": known.tolist()})


def _metadata(entries: list[Entry]) -> Float[ndarray, "unit feature"] | None:
    names = [name for name in entries[0].ch_columns if all(_numeric(entry, name) for entry in entries)]
    columns = [np.concatenate([entry.ch_positions for entry in entries])]
    columns += [np.concatenate([np.asarray(e.ch_columns[name], float) for e in entries])[:, None] for name in names]
    table = np.concatenate(columns, axis=1)
    table = table[:, ~np.isnan(table).all(0)]
    if table.shape[1] == 0:
        return None
    spread = np.nanstd(table, axis=0)
    return (table - np.nanmean(table, axis=0)) / np.where(spread > 0, spread, 1.0)


def _numeric(entry: Entry, name: str) -> bool:
    column = entry.ch_columns.get(name)
    return column is not None and np.asarray(column).dtype.kind in "fiu"


def known_connections(entry: Entry) -> Bool[ndarray, "pre post"] | None:
    """Who drives whom, where the recording says so in its channels' column `drives`: names of units with spaces between."""
    if "drives" not in entry.ch_columns:
        return None
    place = {name: i for i, name in enumerate(entry.ch_names)}
    found = np.zeros((len(place), len(place)), dtype=bool)
    for pre, names in enumerate(entry.ch_columns["drives"]):
        found[pre, [place[name] for name in str(names).split()]] = True
    return found
