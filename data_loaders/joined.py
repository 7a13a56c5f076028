"""Joined stores: several read as one, for a model that learns from many studies at once; no signal is copied."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy import ndarray

from data_loaders import reads
from data_loaders.catalog import CATALOG, EVENTS
from data_loaders.extents import Bytes, Extent, Stretches
from data_loaders.features import Features
from data_loaders.reads import Pieces
from data_loaders.store import Store


def joined(stores: Sequence[Store]) -> Store:
    """One store whose recordings are those of all, in the order of the stores, on a disk or in a bucket each.

    Subjects are called `study/subject`, because the 01 of one study is not the 01 of another, and recordings likewise.
    """
    if len(stores) == 1:
        return stores[0]
    beside = {
        f"{study}/{name}": store.features.of.get(name, {})
        for store in stores
        for study, name in zip(store.catalog["study"], store.catalog["name"], strict=True)
    }
    return Store(stores[0].path, _Parts(stores), features=Features({name: own for name, own in beside.items() if own}))


class _Parts(Bytes):
    """Files are called `<number of the store>/<their name in it>`."""

    def __init__(self, stores: Sequence[Store]) -> None:
        self._content = [store.content for store in stores]
        self.looks_ahead = any(content.looks_ahead for content in self._content)
        catalogs = [_catalog(store, number) for number, store in enumerate(stores)]
        self._tables = {CATALOG: _parquet(pa.concat_tables(catalogs)), EVENTS: _parquet(_events(stores))}

    def table(self, name: str) -> Any:
        return pa.BufferReader(self._tables[name])

    def pieces(self, asked: Stretches) -> Pieces:
        places, of, start, stop = asked
        owners = [self._at(place.file) for place in places]
        parts = []
        for content in dict.fromkeys(content for content, _ in owners):
            own = [number for number, (owner, _) in enumerate(owners) if owner is content]
            rows, known = (
                np.flatnonzero(np.isin(of, own)),
                [places[number]._replace(file=owners[number][1]) for number in own],
            )
            parts.append(
                (rows, content.pieces(Stretches(known, np.searchsorted(own, of[rows]), start[rows], stop[rows])))
            )
        return reads.joined(parts)

    def whole(self, file: str, size: int, extent: Extent) -> ndarray:
        content, own = self._at(file)
        return content.whole(own, size, extent)

    def prefetch(self, file: str, size: int, extent: Extent, starts: ndarray, stops: ndarray) -> None:
        content, own = self._at(file)
        content.prefetch(own, size, extent, starts, stops)

    def _at(self, file: str) -> tuple[Bytes, str]:
        number, _, own = file.partition("/")
        return self._content[int(number)], own


def _catalog(store: Store, number: int) -> pa.Table:
    """A store's catalog under names that are unique among studies."""
    table = pq.read_table(store.content.table(CATALOG))
    columns = {name: table[name].to_pylist() for name in ("study", "subject", "name", "file")}
    named = {
        name: [f"{s}/{v}" for s, v in zip(columns["study"], columns[name], strict=True)] for name in ("subject", "name")
    }
    for name, values in (named | {"file": [f"{number}/{file}" for file in columns["file"]]}).items():
        table = table.set_column(table.column_names.index(name), name, pa.array(values))
    return table


def _events(stores: Sequence[Store]) -> pa.Table:
    """All events; a column that one store lacks is empty there."""
    first = [sum(map(len, stores[:i])) for i in range(len(stores))]
    tables = [
        store.events.assign(recording=store.events["recording"] + at) for store, at in zip(stores, first, strict=True)
    ]
    filled = [table for table in tables if len(table)]
    return pa.Table.from_pandas(pd.concat(filled or tables[:1], ignore_index=True), preserve_index=False)


def _parquet(table: pa.Table) -> pa.Buffer:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    return sink.getvalue()
