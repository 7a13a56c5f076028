"""Overview: what a store holds by study and kind of signal, and whether every byte of it is still the one that was written."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from data_loaders.catalog import Entry
from data_loaders.extents import Extent
from data_loaders.store import Store

_ROWS = 1 << 16
_SHOWN = 30  # people in the table


def tell(store: Store) -> None:
    """Prints one line per study and kind of signal, then one per person."""
    console = Console(width=None if Console().is_terminal else 140)
    print(f"{store.path}: {len(store)} recordings")
    console.print(_table(summary(store, ["study", "modality"])))
    people = summary(store, ["study", "subject", "modality"])
    console.print(_table(people.head(_SHOWN)))
    if len(people) > _SHOWN:
        console.print(f"and {len(people) - _SHOWN} more", markup=False)


def summary(store: Store, by: list[str]) -> pd.DataFrame:
    """Recordings, people, hours, channels, rates and bytes of each group of the catalog; spans where they differ."""
    groups = store.catalog.groupby(by, sort=True)
    rows = [dict(zip(by, key, strict=True)) | _row(of) for key, of in groups]
    return pd.DataFrame(rows).drop(columns="subjects" if "subject" in by else [])


def check(store: Store) -> None:
    """Reads everything and holds it against the checksums of the catalog. Raises ValueError naming the damaged files."""
    damaged, console = dict[str, str](), Console(highlight=False, soft_wrap=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("checking", total=int(store.catalog["size"].sum()))
        for recording in range(len(store)):
            entry = store.entry(recording)
            progress.update(bar, description=entry.name)
            for found in itertools.islice(_damage(store, recording, entry), 1):
                damaged[entry.file] = found
                console.print(f"{entry.file}: {found}", markup=False)
            progress.advance(bar, entry.size)
    if damaged:
        lines = [f"  {file}: {found}" for file, found in damaged.items()]
        repair = f"delete these files below {store.path} and run the same `brainfm prepare` again, it makes only what is missing"
        raise ValueError("\n".join([f"{len(damaged)} of {len(store)} recordings are damaged:", *lines, repair]))
    console.print(f"{len(store)} recordings are as they were written", markup=False)


def _damage(store: Store, recording: int, entry: Entry) -> Iterator[str]:
    for name, extent in entry.extents.items():
        try:
            found = _sha256(store, recording, name, extent)
        except (ValueError, OSError) as error:
            yield str(error)
            continue
        if found != extent.sha256:
            yield f"{name} has the sha256 {found[:16]}, expected {extent.sha256[:16]}"


def _sha256(store: Store, recording: int, name: str, extent: Extent) -> str:
    digest = hashlib.sha256()
    for start in range(0, extent.shape[0] if extent.shape else 1, _ROWS):
        digest.update(np.ascontiguousarray(store.raw(recording, name, start, start + _ROWS)).tobytes())
    return digest.hexdigest()


def _row(of: pd.DataFrame) -> dict[str, Any]:
    return {
        "recordings": len(of), "subjects": of["subject"].nunique(), "hours": round(float(of["duration"].sum()) / 3600, 2),
        "channels": _span(of["n_chans"]), "sfreq": _span(of["sfreq"]), "MB": round(float(of["size"].sum()) / 1e6, 1),
    }  # fmt: skip


def _span(values: pd.Series) -> str:
    low, high = values.min(), values.max()
    return f"{low:g}" if low == high else f"{low:g}-{high:g}"


def _table(rows: pd.DataFrame) -> Table:
    table = Table(*map(str, rows.columns))
    for row in rows.itertuples(index=False):
        table.add_row(*map(str, row))
    return table
