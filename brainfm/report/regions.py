"""Regions: a bar per channel with its interval, subjects as dots and the ceiling as a tick, where there is no anatomy to draw."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from brainfm.report.drawing import FAINT, INK, SERIES, Picture, figure, picture, style
from brainfm.report.sentences import words
from brainfm.statistics.bootstrap import draw_weights, expanded_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST = 40  # bars that can be read
_FEWEST = 3  # subjects of whom an interval can speak


def region_bars(tables: Mapping[str, pd.DataFrame], metric: str, key: str) -> Picture:
    """Bars of the first model's channels, best first; each table has subject, channel, `metric` and perhaps ceiling."""
    ours = next(iter(tables.values()))
    order = list(ours.groupby("channel", sort=False)[metric].mean().sort_values(ascending=False).index[:_MOST])
    with style():
        drawn = figure(7.0, 1.1 + 0.26 * len(tables) * len(order))
        axes = drawn.subplots()
        height = 0.8 / len(tables)
        for i, (model, table) in enumerate(tables.items()):
            _bars(axes, table, metric, order, 0.4 - height * (i + 0.5), height, SERIES[i % len(SERIES)], model)
        _ceilings(axes, ours, metric, order)
        axes.axvline(0, color=FAINT, lw=0.8)
        axes.set_yticks(range(len(order)), order)
        axes.set(ylim=(len(order) - 0.4, -0.6), xlabel=words(metric))
        axes.tick_params(axis="y", length=0)
        drawn.legend(loc="outside lower center", ncols=3)
        return picture(drawn, key, _alt(ours, metric, order), _caption(ours, order))


def _bars(
    axes: Axes, table: pd.DataFrame, metric: str, order: list[str], shift: float, height: float, colour: str, model: str
) -> None:
    for place, channel in enumerate(order):
        values = table.loc[table["channel"] == channel, metric].dropna().to_numpy(dtype=float)
        if not len(values):
            continue
        at, label = place - shift, model if place == 0 else None
        axes.barh(at, values.mean(), 0.9 * height, color=colour, alpha=0.55, label=label, lw=0)
        axes.plot(values, np.full(len(values), at), "o", color=colour, ms=2.5, mew=0)
        if len(values) >= _FEWEST:
            axes.plot(_interval(values), [at, at], color=INK, lw=1.4, solid_capstyle="butt")


def _interval(values: np.ndarray) -> tuple[float, float]:
    """95 % over subjects, by the bootstrap that the tables use."""
    one = np.zeros(len(values), dtype=int)
    drawn = draw_weights(one, 2000, np.random.default_rng(0)) @ values / len(values)
    return expanded_interval(drawn, float(values.mean()), one)


def _ceilings(axes: Axes, table: pd.DataFrame, metric: str, order: list[str]) -> None:
    if "ceiling" not in table or table["ceiling"].isna().all():
        return
    ceiling = table["ceiling"] if metric == "pearson_r" else table["ceiling"] ** 2
    means = ceiling.groupby(table["channel"]).mean().reindex(order)
    axes.vlines(
        means, np.arange(len(order)) - 0.4, np.arange(len(order)) + 0.4, color=INK, lw=1, ls=":", label="noise ceiling"
    )


def _alt(table: pd.DataFrame, metric: str, order: list[str]) -> str:
    means = table.groupby("channel")[metric].mean()
    told = ", ".join(f"{channel} {means[channel]:.3f}" for channel in order[:12])
    return f"{words(metric)} of each channel, best first: {told}."


def _caption(table: pd.DataFrame, order: list[str]) -> str:
    n, shown = table["channel"].nunique(), table["subject"].nunique()
    which = f"The best {len(order)} of {n} channels. " if n > len(order) else ""
    dots = "Bars are means over subjects, dots subjects" if shown > 1 else "Bars are the values of the one subject"
    lines = ", black lines 95 % intervals over subjects" if shown >= _FEWEST else ""
    return f"{which}{dots}{lines}; the dotted tick is the noise ceiling, where there is one."
