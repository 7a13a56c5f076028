"""Where contacts sit and in which region: electrodes.tsv and coordsystem.json of BIDS, and coordinates without a unit."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from numpy import ndarray

from data_loaders.formats.channels import Channels, listed
from data_loaders.formats.participants import read_table

METRES = {"m": 1.0, "mm": 1e-3, "cm": 1e-2, "um": 1e-6}
# what datasets call the brain region of a contact, the first that is there
REGIONS = ("region", "location", "brain_region", "brain_area", "anatomy", "anatomical", "area", "roi", "structure")


def system_of(table: Path) -> Path | None:
    """The coordsystem.json that belongs to an electrodes.tsv: the same space, in the same folder."""
    space = next((part for part in table.name.split("_") if part.startswith("space-")), "")
    found = [p for p in sorted(table.parent.glob("*coordsystem.json")) if space in p.name]
    same = [p for p in found if p.name.removesuffix("coordsystem.json") == table.name.removesuffix("electrodes.tsv")]
    return next(iter(same or found), None)


def placed(channels: Channels, table: Path, system: Path | None, description: Mapping[str, Any]) -> Channels:
    """The channels with the positions (metres), the space, the region and every other column of an electrodes.tsv.

    Raises ValueError where the table cannot be what it claims.
    """
    rows = read_table(table)
    missing = [name for name in ("name", "x", "y", "z") if name not in rows]
    if missing or rows["name"].duplicated().any():
        wrong = f"lacks the columns {missing}" if missing else "names a contact twice"
        raise ValueError(f"{table.name} {wrong}: BIDS asks for one row per contact with name, x, y and z")
    rows = rows.set_index(rows["name"].astype(str))
    stated = json.loads(system.read_text(encoding="utf-8-sig")) if system else {}
    known = [name for name in channels.names if name in rows.index]
    where = rows.reindex(list(channels.names))
    points = where[["x", "y", "z"]].apply(pd.to_numeric, errors="coerce").to_numpy(dtype=float)
    unit = str(description.get("position_unit") or stated.get("iEEGCoordinateUnits", "n/a"))
    positions, notes = in_metres(points, unit, table.name)
    space = str(stated.get("iEEGCoordinateSystem", "unknown"))
    space = f"{_space_in(table)} ({space})" if space in ("Other", "unknown", "n/a") and _space_in(table) else space
    columns = {"space": (space,) * len(channels.names), **columns_of(where.drop(columns=["name", "x", "y", "z"]))}
    notes = [*notes, *_unplaced(channels, known, table), f"positions are in the space {space}"]
    return replace(channels, positions=positions, columns=columns, notes=(*channels.notes, *notes))


def columns_of(rows: pd.DataFrame) -> dict[str, tuple[Any, ...]]:
    """Columns of a table as columns of channels: numbers stay numbers, all else is text, the region is called `region`."""
    found = {str(name): _column(values) for name, values in rows.items()}
    found = {name: column for name, column in found.items() if any(v == v and v != "" for v in column)}
    region = next((column for name in REGIONS for key, column in found.items() if key.lower() == name), None)
    return found if region is None else found | {"region": tuple(map(str, region))}


def in_metres(
    points: Float[ndarray, "channel 3"], unit: str, source: str
) -> tuple[Float[ndarray, "channel 3"], list[str]]:
    """Points in metres. Where no unit is stated it is told by their size, and that is said."""
    size = float(np.nanmax(np.abs(points), initial=0.0)) if np.isfinite(points).any() else 0.0
    if unit in METRES or not size:
        return points * METRES.get(unit, 1.0), [] if size else [f"{source} has no position"]
    if unit == "pixels":
        return np.full_like(points, np.nan), [f"{source} has positions in pixels of an image, which are left out"]
    guess = "m" if size < 0.3 else "mm" if size < 300 else "um"
    note = f"{source} states no unit of positions: taken as {guess} by their size (up to {size:.4g}); else state `position_unit: mm`"
    return points * METRES[guess], [note]


def _column(values: pd.Series) -> tuple[Any, ...]:
    if pd.api.types.is_bool_dtype(values):
        return tuple(values.astype(int))
    if pd.api.types.is_numeric_dtype(values):
        return tuple(values.astype(float))
    return tuple("" if value is None or value != value else str(value) for value in values)


def _space_in(table: Path) -> str:
    return next((part.removeprefix("space-") for part in table.name.split("_") if part.startswith("space-")), "")


def _unplaced(channels: Channels, known: list[str], table: Path) -> list[str]:
    contacts = [channels.names[i] for i in channels.of(("seeg", "ecog", "dbs"))]
    without = [name for name in contacts if name not in known]
    return [f"{table.name} has no row for {listed(without)}"] if without else []
