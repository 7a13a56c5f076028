"""A grid in the brain: scores against ceilings at the largest size, curves of every region, or maps of score and slope."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from brainfm.report.brain import Sections, mapped
from brainfm.report.ceilings import ceiling_scatter
from brainfm.report.drawing import INK, SERIES, Picture, figure, log_ticks, picture, style
from brainfm.report.regions import region_bars
from brainfm.report.results import Results
from brainfm.report.sentences import words
from brainfm.run.series import Series

_CURVES = 24  # channels up to which each has a panel of its own
_COLUMNS = 4
_MOST = 6  # series that a scatter or the bars can tell apart


def grid_brain(out: Path, found: Sequence[Series]) -> Sections:
    """Sections of a grid's page, from the scores per channel of its cells; nothing where cells have none."""
    tables = {one.name: table for one in found if not (table := channels_of(out, one)).empty}
    if not tables:
        return []
    metric = found[0].metric
    last = {name: _at_largest(table) for name, table in list(tables.items())[:_MOST]}
    drawn = [
        ceiling_scatter({name: table.rename(columns={"score": metric}) for name, table in last.items()}, metric, "gc")
    ]
    sections = [("Against the ceiling", [shown for shown in drawn if shown])]
    sections.append(("Where in the brain", _where(out, found, tables, metric)))
    return [(title, pictures) for title, pictures in sections if pictures]


def channels_of(out: Path, one: Series) -> pd.DataFrame:
    """Scores per subject, channel and size of one series: columns subject, channel, x, score, ceiling; empty where there are none."""
    parts = []
    for cell, x in one.rows[["cell", "x"]].drop_duplicates().itertuples(index=False):
        table = Results(out / "cells" / cell / "run").channels
        if table.empty or one.metric not in table or one.target != "signal":
            return pd.DataFrame()
        own = table[table["model"] == one.model]
        parts.append(own[["subject", "channel", "ceiling"]].assign(x=x, score=own[one.metric]))
    return pd.concat(parts, ignore_index=True)


def slopes(table: pd.DataFrame) -> pd.DataFrame:
    """Per subject and channel: the score at the largest size, and how much it rises per tenfold (least squares)."""
    wide = table.pivot_table(index=["subject", "channel"], columns="x", values="score", sort=False)
    away = np.log10(wide.columns.to_numpy(dtype=float))
    away = away - away.mean()
    rise = (wide.to_numpy() * away).sum(1) / (away**2).sum()
    return pd.DataFrame({"last": wide.iloc[:, -1], "slope": rise}).reset_index()


def _at_largest(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["x"] == table["x"].max()]


def _where(out: Path, found: Sequence[Series], tables: Mapping[str, pd.DataFrame], metric: str) -> list[Picture]:
    first = next(iter(tables.values()))
    several = first["x"].nunique() > 1
    pictures = []
    if several and first["channel"].nunique() <= _CURVES:
        pictures.append(_panels(tables, found[0].x, metric, "gr"))
    # one model's maps say where; the page of each cell has its own
    name = _best(tables)
    about = f"{words(metric)} of {name}"
    run = Results(out / "cells" / next(one for one in found if one.name == name).rows["cell"].iloc[0] / "run")
    columns = {"last": f"{about} at the largest size"} | ({"slope": "its rise per tenfold"} if several else {})
    maps = mapped(run, slopes(tables[name]), columns, "gm") if several or len(first) else []
    if not maps:
        last = {one: _at_largest(table).rename(columns={"score": metric}) for one, table in list(tables.items())[:2]}
        pictures.append(region_bars(last, metric, "gb"))
    return pictures + maps


def _best(tables: Mapping[str, pd.DataFrame]) -> str:
    return max(tables, key=lambda name: float(np.nanmean(_at_largest(tables[name])["score"])))


def _panels(tables: Mapping[str, pd.DataFrame], x: str, metric: str, key: str) -> Picture:
    """One panel per channel: every series against size, means over subjects, the ceiling dotted."""
    shown = dict(list(tables.items())[:_MOST])
    channels = list(dict.fromkeys(next(iter(shown.values()))["channel"]))
    n_columns = min(_COLUMNS, len(channels))
    with style():
        drawn = figure(7.4, 0.9 + 2.1 * -(-len(channels) // n_columns))
        axes = drawn.subplots(
            -(-len(channels) // n_columns), n_columns, squeeze=False, sharex=True, sharey=True
        ).ravel()
        for place, channel in zip(axes, channels, strict=False):
            for i, (name, table) in enumerate(shown.items()):
                own = table[table["channel"] == channel].groupby("x")[["score", "ceiling"]].mean()
                label = name if channel == channels[0] else None
                place.plot(own.index, own["score"], "-o", ms=2.5, lw=1.1, color=SERIES[i], label=label)
                if i == 0 and own["ceiling"].notna().any():
                    bound = own["ceiling"] if metric == "pearson_r" else own["ceiling"] ** 2
                    place.plot(own.index, bound, ":", color=INK, lw=1, label="noise ceiling" if label else None)
            log_ticks(place, sorted(next(iter(shown.values()))["x"].unique()), apart=0.3)
            place.set_title(channel, fontsize=9)
            place.tick_params(labelbottom=True)
            place.set_xlabel(x.rpartition(".")[2].replace("_", " "), fontsize=9)
        for empty in axes[len(channels) :]:
            empty.set_axis_off()
        drawn.supylabel(words(metric), fontsize=10)
        drawn.legend(loc="outside lower center", ncols=2)
        return picture(drawn, key, _alt(shown, channels, metric), _caption(tables))


def _alt(shown: Mapping[str, pd.DataFrame], channels: list[str], metric: str) -> str:
    name, table = next(iter(shown.items()))
    means = _at_largest(table).groupby("channel")["score"].mean()
    told = ", ".join(f"{channel} {means[channel]:.3f}" for channel in channels)
    return f"{words(metric)} of each channel against size. {name} at the largest size: {told}."


def _caption(tables: Mapping[str, pd.DataFrame]) -> str:
    more = f" The first {_MOST} of {len(tables)} series are drawn." if len(tables) > _MOST else ""
    return f"Each channel's score against size, all folds joined, means over subjects; the dotted line is its noise ceiling.{more}"
