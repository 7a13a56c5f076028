"""Where in the brain: scores of channels against their ceilings, per region, and as maps where it is known where they lie."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from brainfm.report.ceilings import ceiling_scatter
from brainfm.report.drawing import Picture, picture, style
from brainfm.report.maps import BrainMap
from brainfm.report.regions import region_bars
from brainfm.report.results import Results
from brainfm.report.sentences import counted, words
from brainfm.report.stores import catalogs_of
from brainfm.report.surfaces import has_mesh, surface_figure
from brainfm.report.topomap import SENSORS, Panel, flattened, topomap_figure
from brainfm.report.volumes import volume_figure

_BARS = 40  # channels up to which each is a bar
_FEWEST_SENSORS = 8
_PEOPLE = 3  # subjects with a map each, where their brains differ

Sections = list[tuple[str, list[Picture]]]


def brain_of(run: Results, models: Sequence[str], metric: str) -> Sections:
    """The sections of a run's page: nothing where the run has no scores per channel. The first model is the trained one."""
    table = run.channels
    if table.empty or metric not in table:
        return []
    tables = {model: own for model in models if len(own := table[table["model"] == model])}
    scatter = ceiling_scatter(tables, metric, "ceiling")
    drawn = list(_per_channel(run, tables, metric))
    return [
        *([("Against the ceiling", [scatter])] if scatter else []),
        *([("Where in the brain", drawn)] if drawn else []),
    ]


def mapped(run: Results, table: pd.DataFrame, columns: Mapping[str, str], key: str) -> list[Picture]:
    """Maps of columns (and their titles) of a table with subject and channel, where the run's store knows where channels lie.

    One of the mean where all subjects have the same channels at the same places, else one each of the first three.
    """
    entries = _entries(run, list(table["subject"].unique()))
    if not entries:
        return []
    shared = (
        len(
            {
                (entry.ch_names, str(entry.space), str(entry.ch_positions.round(4).tolist()))
                for entry in entries.values()
            }
        )
        == 1
    )
    groups = {"": list(entries)} if shared else {subject: [subject] for subject in list(entries)[:_PEOPLE]}
    pictures = []
    for i, (subject, people) in enumerate(groups.items()):
        own = table[table["subject"].isin(people)]
        values = {column: own.groupby("channel", sort=False)[column].mean().dropna() for column in columns}
        signed = {"ceiling": False}
        maps = [BrainMap(title, values[c], signed.get(c, True)) for c, title in columns.items() if len(values[c])]
        about = f"subject {subject}" if subject else counted(len(people), "subject")
        pictures += _drawn(maps, entries[people[0]], about, f"{key}{i}")
    return pictures


def _per_channel(run: Results, tables: Mapping[str, pd.DataFrame], metric: str) -> Iterator[Picture]:
    ours = next(iter(tables.values()))
    if ours["channel"].nunique() <= _BARS:
        yield region_bars(tables, metric, "regions")
    shared = {name: f"unique R² of {name.removeprefix('unique_')}" for name in ours if str(name).startswith("unique_")}
    columns = {metric: words(metric), "ceiling": "noise ceiling"} | shared
    columns = {name: title for name, title in columns.items() if name in ours and ours[name].notna().any()}
    maps = mapped(run, ours, columns, "brain")
    yield from maps
    if not maps and ours["channel"].nunique() > _BARS:
        yield region_bars(tables, metric, "regions")


def _entries(run: Results, subjects: list[str]) -> dict[str, Any]:
    """The first recording of each subject, where the store is at its place and has its channels."""
    found: dict[str, Any] = {}
    for catalog in catalogs_of(run):
        for number, subject in enumerate(map(str, catalog.table["subject"])):
            if subject in subjects and subject not in found:
                found[subject] = catalog.entry(number)
    return found


def _drawn(maps: list[BrainMap], entry: Any, about: str, key: str) -> list[Picture]:
    """The maps of one brain in the way its recording allows; none where it does not say where channels lie."""
    maps = [one for one in maps if set(one.values.index) <= set(entry.ch_names)]
    make = _way(entry) if maps else None
    if make is None:
        return []
    with style():
        drawn = make(maps)
        where = f"of {about}" + (f", space {template}" if (template := entry.space.get("template")) else "")
        return [picture(drawn, key, _alt(maps, where), _caption(maps, where))]


def _way(entry: Any) -> Any:
    kind = entry.space.get("kind")
    if kind == "volume":
        return partial(volume_figure, space=entry.space, ch_names=entry.ch_names)
    if kind == "surface" and has_mesh(entry.space):
        return partial(surface_figure, space=entry.space, ch_names=entry.ch_names)
    if kind:
        print(f"no map of {kind}: its mesh does not come with nilearn; `maps/` in the run folder has files for wb_view")
        return None
    placed = np.isfinite(entry.ch_positions).all(1) & np.isin(entry.ch_types, SENSORS)
    return partial(_on_head, entry=entry, placed=placed) if placed.sum() >= _FEWEST_SENSORS else None


def _on_head(maps: list[BrainMap], entry: Any, placed: np.ndarray) -> Any:
    panels = []
    for one in maps:
        values = one.values.reindex(entry.ch_names).to_numpy(dtype=float)
        for sensor in [kind for kind in SENSORS if kind in entry.ch_types]:
            shown = placed & (np.array(entry.ch_types) == sensor) & np.isfinite(values)
            places = flattened(entry.ch_positions[shown])
            panels.append(Panel(f"{one.title}\n{sensor}", "", values[shown], places, one.signed))
    return topomap_figure(panels)


def _alt(maps: list[BrainMap], where: str) -> str:
    told = [
        f"{one.title} from {one.values.min():.3g} to {one.values.max():.3g}, mean {one.values.mean():.3g}"
        for one in maps
    ]
    return f"Maps of the brain {where}: " + "; ".join(told) + "."


def _caption(maps: list[BrainMap], where: str) -> str:
    n = counted(len(maps[0].values), "channel")
    return (
        f"{n[0].upper()}{n[1:]} {where}, all folds joined. Scales end at the 99th percentile; the files in maps/ of the run hold "
        "every value. A map shows where the model predicts, not where a feature is represented."
    )
