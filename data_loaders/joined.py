"""Joined stores: one catalog over several stores, for a model that learns from many studies at once; no signal is copied."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from data_loaders.store import CATALOG, EVENTS, Store


def joined(stores: Sequence[Store]) -> Store:
    """One store whose recordings are those of all, in the order of the stores; their files stay where they are.

    Subjects are called `study/subject`, because the 01 of one study is not the 01 of another, and recordings likewise. The
    catalog lies in `<first store>.joined`, or in the folder that $BRAINFM_CACHE names, and may be deleted at any time.
    """
    if len(stores) == 1:
        return stores[0]
    first = stores[0].path
    home = Path(os.environ.get("BRAINFM_CACHE") or first.with_name(f"{first.name}.joined"))
    target = home / _digest(stores)
    if not (target / CATALOG).is_file():
        target.mkdir(parents=True, exist_ok=True)
        _write(_events(stores), target / EVENTS)
        # the catalog comes last: a store is there when its catalog is
        _write(pd.concat([_catalog(store) for store in stores], ignore_index=True), target / CATALOG)
    return Store(target)


def _digest(stores: Sequence[Store]) -> str:
    stated = [[str(store.path.resolve()), *(store.entry(i).sha256 for i in range(len(store)))] for store in stores]
    return hashlib.sha256(json.dumps(stated).encode()).hexdigest()[:16]


def _catalog(store: Store) -> pd.DataFrame:
    headers = [_qualified(json.loads(header), store.path.resolve()) for header in store.catalog["header"]]
    entities = pd.DataFrame([header["entities"] for header in headers], index=store.catalog.index)
    named = {name: [header[name] for header in headers] for name in ("name", "file")}
    return store.catalog.assign(**entities, **named, header=[json.dumps(header) for header in headers])


def _qualified(header: dict[str, Any], root: Path) -> dict[str, Any]:
    """A header whose names are unique among studies, and whose file is found from anywhere."""
    study, named = header["entities"]["study"], header["entities"]
    entities = {**named, **{key: f"{study}/{named[key]}" for key in ("subject", "recording_name")}}
    return {**header, "name": entities["recording_name"], "file": str(root / header["file"]), "entities": entities}


def _events(stores: Sequence[Store]) -> pd.DataFrame:
    """All events; a column that one store lacks is empty there."""
    first = [sum(map(len, stores[:i])) for i in range(len(stores))]
    tables = [store.events.assign(recording=store.events["recording"] + at) for store, at in zip(stores, first, strict=True)]
    filled = [table for table in tables if len(table)]
    return pd.concat(filled or tables[:1], ignore_index=True)


def _write(table: pd.DataFrame, path: Path) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    table.to_parquet(temporary, index=False)
    os.replace(temporary, path)
