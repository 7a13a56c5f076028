"""Each subject, or each fold of a single one, under every model: the spread behind the headline."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from brainfm.report.drawing import FAINT, INK, SERIES, Picture, figure, picture, style
from brainfm.report.sentences import number, words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_APART = 0.14  # rows: the summary above, the dots below
_MOST_LINES = 40  # more subjects than this would be a grey cloud


def per_subject(rows: pd.DataFrame, summary: pd.DataFrame, model: str, key: str) -> Picture:
    """Dots and thin lines are subjects, thick bars the mean and its interval; `rows` and `summary` hold one target and metric."""
    unit = "subject" if rows["subject"].nunique() > 1 else "fold"
    # a model that has no value anywhere (a constant has no correlation) keeps its row, empty
    values = rows.pivot_table(index=unit, columns="model", values="value", aggfunc="mean").reindex(
        columns=list(summary["model"])
    )
    with style():
        drawn = figure(7.0, 0.9 + 0.5 * len(summary))
        axes = drawn.subplots()
        _dots(axes, values, model)
        _intervals(axes, summary, model)
        _chance(axes, summary)
        axes.set_yticks(range(len(summary)), list(summary["model"]))
        axes.set(ylim=(len(summary) - 0.4, -0.6), xlabel=words(summary["metric"].iloc[0]))
        axes.tick_params(axis="y", length=0)
        return picture(drawn, key, _alt(values, summary, unit), _caption(unit, len(values)))


def _dots(axes: Axes, values: pd.DataFrame, model: str) -> None:
    places = np.arange(values.shape[1]) + _APART
    for _, line in values.head(_MOST_LINES).iterrows():
        axes.plot(line.to_numpy(), places, color=FAINT, lw=0.6, alpha=0.5)
    for place, name in enumerate(values.columns):
        axes.plot(
            values[name],
            np.full(len(values), place + _APART),
            "o",
            color=_colour(str(name), model),
            ms=4,
            alpha=0.6,
            mew=0,
        )


def _intervals(axes: Axes, summary: pd.DataFrame, model: str) -> None:
    for place, row in enumerate(summary.itertuples()):
        axes.plot(
            [row.low, row.high],
            [place - _APART, place - _APART],
            color=_colour(str(row.model), model),
            lw=4,
            solid_capstyle="butt",
        )
        axes.plot(row.value, place - _APART, "D", color=INK, ms=5.5, mew=0)


def _chance(axes: Axes, summary: pd.DataFrame) -> None:
    """A dotted line; where chance is far from every value (an R2 can be very negative) an arrow instead, to spare the scale."""
    chance, (low, high) = summary["chance"].iloc[0], axes.get_xlim()
    if not np.isfinite(chance):
        return
    if low - 0.6 * (high - low) < chance < high + 0.6 * (high - low):
        axes.axvline(chance, color=INK, lw=1, ls=":")
        axes.annotate(
            "chance", (chance, 1), xycoords=("data", "axes fraction"), ha="center", va="bottom", fontsize=9, color=INK
        )
        return
    side, text = (0.0, f"← chance {number(chance)}") if chance < low else (1.0, f"chance {number(chance)} →")
    axes.annotate(
        text,
        (side, 1),
        xycoords="axes fraction",
        ha="left" if side == 0 else "right",
        va="bottom",
        fontsize=9,
        color=INK,
    )


def _colour(name: str, model: str) -> str:
    return SERIES[0] if name == model else SERIES[1]


def _alt(values: pd.DataFrame, summary: pd.DataFrame, unit: str) -> str:
    told = [
        f"{r.model} {r.value:.2f}, {unit}s from {values[r.model].min():.2f} to {values[r.model].max():.2f}"
        for r in summary.itertuples()
    ]
    return f"{summary['metric'].iloc[0].replace('_', ' ')} of each {unit}. " + "; ".join(told) + "."


def _caption(unit: str, n: int) -> str:
    lines = f"; lines join the same {unit}" + (f" (the first {_MOST_LINES} of {n})" if n > _MOST_LINES else "")
    return f"Each dot is a {unit}{lines}. The diamond is the headline value, the bar its 95 % interval."
