"""Regression drawn: predicted against true values, and a stretch of time with both."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from jaxtyping import Float
from numpy import ndarray

from brainfm.report.drawing import FAINT, INK, SERIES, Picture, figure, picture, style
from brainfm.report.results import dimensions
from brainfm.statistics.encoding import correlation

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_POINTS, _SECONDS, _MOST_DIMENSIONS = 1500, 20.0, 4


def scatter(predictions: pd.DataFrame, model: str, key: str) -> Picture | None:
    """Predicted against true, a panel per dimension; None for classification."""
    names = dimensions(predictions)[:_MOST_DIMENSIONS]
    if not names:
        return None
    shown = predictions.iloc[:: max(1, len(predictions) // _MOST_POINTS)]
    with style():
        drawn = figure(3.3 * len(names) + 0.3, 3.3)
        for axes, name in zip(drawn.subplots(1, len(names), squeeze=False)[0], names, strict=True):
            _points(axes, truth(shown, name), shown[f"value_{name}"].to_numpy(), name)
        told = ", ".join(f"{name} {_correlation(predictions, name)}" for name in names)
        drawn_of = (
            f"every {max(1, len(predictions) // _MOST_POINTS)}th of {len(predictions):,}"
            if len(shown) < len(predictions)
            else "all"
        )
        return picture(
            drawn,
            key,
            f"{model}: predicted against true values; {told}.",
            f"{model} on {drawn_of} test windows; {told}.",
        )


def trace(predictions: pd.DataFrame, model: str, key: str) -> Picture | None:
    """The first seconds of the first test block: truth and prediction; None where windows have no time or are single events."""
    names = dimensions(predictions)[:_MOST_DIMENSIONS]
    if not names or "onset_s" not in predictions:
        return None
    shown = _stretch(predictions)
    if len(shown) < 10:
        return None
    with style():
        drawn = figure(7.0, 1.6 * len(names) + 0.6)
        panels = drawn.subplots(len(names), 1, sharex=True, squeeze=False)[:, 0]
        for axes, name in zip(panels, names, strict=True):
            axes.plot(shown["onset_s"], truth(shown, name), color=INK, lw=1.1, label="true")
            axes.plot(shown["onset_s"], shown[f"value_{name}"], color=SERIES[0], lw=1.6, label="predicted")
            axes.set_ylabel(name)
        panels[0].legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2)
        panels[-1].set_xlabel("time in the recording (s)")
        where = (
            f"{shown['recording_name'].iloc[0]}, {shown['onset_s'].iloc[0]:.1f} to {shown['onset_s'].iloc[-1]:.1f} s"
        )
        return picture(
            drawn,
            key,
            f"True and predicted {', '.join(names)} over time, {where}.",
            f"{model} on test windows of {where}.",
        )


def truth(predictions: pd.DataFrame, name: str) -> Float[ndarray, "window"]:
    """The true values of one dimension; a target of one dimension may keep them in the column `truth` itself."""
    column = f"truth_{name}" if f"truth_{name}" in predictions else "truth"
    return predictions[column].to_numpy(dtype=float)


def _stretch(predictions: pd.DataFrame) -> pd.DataFrame:
    """Up to 20 s of neighbouring windows of one recording and fold, in order of time, cut at the first gap."""
    first = predictions[predictions["fold"] == predictions["fold"].iloc[0]]
    first = first[first["recording_name"] == first["recording_name"].iloc[0]].sort_values("onset_s")
    step = np.diff(first["onset_s"].to_numpy())
    gaps = np.flatnonzero(step > 3 * np.median(step)) if len(step) else np.array([], dtype=int)
    run = first.iloc[: gaps[0] + 1] if len(gaps) else first
    return run[run["onset_s"] < run["onset_s"].iloc[0] + _SECONDS]


def _points(axes: Axes, true: ndarray, predicted: ndarray, name: str) -> None:
    both = np.concatenate([true, predicted])
    low, high = float(np.fmin.reduce(both)), float(np.fmax.reduce(both))  # without NaN
    axes.plot([low, high], [low, high], color=FAINT, lw=1, ls="--")
    axes.plot(true, predicted, "o", color=SERIES[0], ms=2.2, alpha=0.35, mew=0)
    axes.set(xlabel="true", ylabel="predicted", title=name, aspect="equal")


def _correlation(predictions: pd.DataFrame, name: str) -> str:
    said = predictions[f"value_{name}"].to_numpy(dtype=float)
    r = float(correlation(truth(predictions, name)[:, None], said[:, None])[0])
    return "has no correlation, it never changes or holds NaN" if np.isnan(r) else f"r = {r:.2f}"
