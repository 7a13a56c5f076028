"""Scores against their noise ceilings, channel by channel, with the line that nothing should pass."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from brainfm.report.drawing import FAINT, INK, SERIES, Picture, figure, picture, style
from brainfm.report.sentences import counted, words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_NAMED = 12  # channels up to which each is written beside its dot
_PLAIN = 2_000  # dots up to which each stays a shape of its own


def ceiling_scatter(tables: Mapping[str, pd.DataFrame], metric: str, key: str) -> Picture | None:
    """One dot per subject and channel under each model, means over subjects named where they are few.

    Each table has subject, channel, `metric` and ceiling, which belongs to correlations and is squared for the others.
    None where no channel has a ceiling.
    """
    known = {model: _known(table, metric) for model, table in tables.items()}
    known = {model: table for model, table in known.items() if len(table)}
    if not known:
        return None
    with style():
        drawn = figure(5.4, 4.6)
        axes = drawn.subplots()
        for i, (model, table) in enumerate(known.items()):
            _draw(axes, table, model, SERIES[i % len(SERIES)], named=i == 0)
        _identity(axes)
        axes.set(xlabel=f"noise ceiling of {words(metric)}", ylabel=words(metric))
        drawn.legend(loc="outside lower center", ncols=2)
        return picture(drawn, key, _alt(known, metric), _caption(known))


def _known(table: pd.DataFrame, metric: str) -> pd.DataFrame:
    """The channels with both, as score and ceiling of that metric."""
    ceiling = table["ceiling"] if metric == "pearson_r" else table["ceiling"] ** 2
    return table.assign(score=table[metric], ceiling=ceiling).dropna(subset=["score", "ceiling"])


def _draw(axes: Axes, table: pd.DataFrame, model: str, colour: str, named: bool) -> None:
    many = len(table) > _PLAIN
    size, alpha = (4, 0.15) if many else (14, 0.35)
    axes.scatter(table["ceiling"], table["score"], s=size, color=colour, alpha=alpha, lw=0, rasterized=many)
    means = table.groupby("channel", sort=False)[["ceiling", "score"]].mean()
    few = len(means) <= _NAMED
    # a label needs a dot that a legend can show, however faint the others are
    axes.scatter(
        *(means if few else means.mean().to_frame().T).to_numpy().T, s=46, marker="D", color=colour, label=model
    )
    for channel, row in means.iterrows() if few and named else ():
        axes.annotate(
            str(channel), (row["ceiling"], row["score"]), (5, 4), textcoords="offset points", fontsize=9, color=INK
        )


def _identity(axes: Axes) -> None:
    low = min(0.0, axes.get_xlim()[0], axes.get_ylim()[0])
    high = max(axes.get_xlim()[1], axes.get_ylim()[1])
    axes.plot([low, high], [low, high], color=FAINT, lw=1, ls="--")
    axes.axhline(0, color=FAINT, lw=0.6)
    axes.set(xlim=(low, high), ylim=(low, high))


def _alt(known: Mapping[str, pd.DataFrame], metric: str) -> str:
    told = [
        f"{model} reaches a mean of {table['score'].mean():.3f} under a mean ceiling of {table['ceiling'].mean():.3f}"
        for model, table in known.items()
    ]
    return f"{words(metric)} of each channel against its noise ceiling. " + "; ".join(told) + "."


def _caption(known: Mapping[str, pd.DataFrame]) -> str:
    first = next(iter(known.values()))
    what = counted(first["channel"].nunique(), "channel")
    above = float(np.mean(first["score"] > first["ceiling"]))
    means = "Diamonds: means of channels over subjects." if first["channel"].nunique() <= _NAMED else "Diamonds: means."
    people = counted(first["subject"].nunique(), "subject")
    return (
        f"Each dot is one of {what} of one of {people}, all folds joined. On the dashed line the score is the ceiling; "
        f"{above:.0%} of the dots lie above it, as estimates of few samples do. {means}"
    )
