"""Scaling curves: scores against size, both laws, the band beyond, the ceiling, chance and the linear baseline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from brainfm.report.drawing import FAINT, INK, SERIES, Picture, figure, log_ticks, picture, style
from brainfm.report.sentences import words
from brainfm.run.series import Series
from brainfm.statistics.scaling import Fit, averaged

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def curves(found: Sequence[Series], key: str) -> Picture:
    """One panel with every series of a target; the ceiling, chance and the best linear baseline are those of the first."""
    with style():
        drawn = figure(7.4, 4.4)
        axes = drawn.subplots()
        for i, one in enumerate(found):
            _draw(axes, one, SERIES[i % len(SERIES)])
        _beside(axes, found[0])
        log_ticks(axes, sorted({float(x) for one in found for x in one.means()["x"]}))
        axes.set(xlabel=found[0].x.rpartition(".")[2].replace("_", " "), ylabel=words(found[0].metric))
        drawn.legend(loc="outside lower center", ncols=3)
        return picture(drawn, key, _alt(found), _caption(found))


def _draw(axes: Axes, one: Series, colour: str) -> None:
    means = averaged(one.rows.dropna(subset=["score"]), one.clusters, 500, 0)
    low, high = np.nanquantile(means.resampled, [0.025, 0.975], axis=0)
    middle = means.score
    away = np.maximum([middle - low, high - middle], 0)
    axes.errorbar(means.x, middle, away if means.freedom else None, fmt="o", color=colour, ms=4, lw=1, label=one.name)
    if one.scaling is None:
        return
    x = one.beyond()
    for fit in one.scaling.fits.values():
        best = fit is one.scaling.preferred
        axes.plot(x, fit.curve(x), color=colour, lw=1.6 if best else 0.9, ls="-" if best else "--")
    band = one.scaling.predict(ahead := x[x >= means.x.max()])
    axes.fill_between(ahead, band["low"], band["high"], color=colour, alpha=0.15, lw=0)
    _asymptote(axes, one.scaling.preferred, x, colour)


def _asymptote(axes: Axes, fit: Fit, x: np.ndarray, colour: str) -> None:
    """Where the curve is heading, at the right edge, if it saturates inside the picture."""
    if "ceiling" in fit.law.parameters and fit.value[0] - fit.curve(x)[-1] < np.ptp(fit.curve(x)):
        axes.plot(x[-12:], np.full(12, fit.value[0]), color=colour, lw=1, ls=":")


def _beside(axes: Axes, one: Series) -> None:
    means = one.means()
    told = (
        ("ceiling", "noise ceiling", INK, "-."),
        ("baseline", "best linear baseline", FAINT, "-"),
        ("chance", "chance", FAINT, ":"),
    )
    for column, label, colour, dashes in told:
        if means[column].notna().any():
            axes.plot(means["x"], means[column], color=colour, lw=1, ls=dashes, label=label)


def _alt(found: Sequence[Series]) -> str:
    told = []
    for one in found:
        means = one.means()
        first, last = means.iloc[0], means.iloc[-1]
        told.append(
            f"{one.name} from {first['score']:.3g} at {first['x']:.3g} to {last['score']:.3g} at {last['x']:.3g}"
        )
    return f"{found[0].target}: {words(found[0].metric)} against {found[0].x}. " + "; ".join(told) + "."


def _caption(found: Sequence[Series]) -> str:
    if all(one.scaling is None for one in found):
        return "Dots: mean scores with 95 % intervals. Too few sizes to fit a law."
    return (
        "Dots: mean scores with 95 % intervals. Solid: the law that predicts left-out sizes best; dashed: the other. The band "
        "is the 80 % prediction interval beyond the largest size, the dotted line the ceiling of the fitted power law."
    )
