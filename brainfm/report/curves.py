"""Learning curves: the loss on training and validation windows, one line per fold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from brainfm.report.drawing import SERIES, Picture, figure, picture, style
from brainfm.report.results import FoldFolder

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PARTS = {"train/loss": (SERIES[1], "training"), "val/loss": (SERIES[0], "validation")}


def learning_curves(folds: list[FoldFolder], key: str) -> Picture | None:
    """None where nothing was logged, as for an objective solved in closed form."""
    trained = [fold for fold in folds if "train/loss" in fold.history]
    if not trained:
        return None
    with style():
        drawn = figure(7.0, 3.2)
        axes = drawn.subplots()
        for fold in trained:
            _draw(axes, fold, first=fold is trained[0])
        axes.set(xlabel="optimizer step", ylabel="loss")
        axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=3)
        return picture(drawn, key, _alt(trained), _caption(trained))


def _draw(axes: Axes, fold: FoldFolder, first: bool) -> None:
    for column, (colour, label) in _PARTS.items():
        logged = _logged(fold.history, column)
        axes.plot(logged.index, logged, color=colour, alpha=0.8, lw=1.2, label=label if first else None)
    kept = _logged(fold.history, "val/loss").reindex([_kept(fold)]).dropna()
    axes.plot(kept.index, kept, "o", color=SERIES[0], ms=5, label="weights kept" if first and len(kept) else None)


def _kept(fold: FoldFolder) -> int:
    """The step whose weights were kept; -1 where the fold does not say."""
    return int(fold.manifest.get("best", {}).get("step", -1))


def _logged(history: pd.DataFrame, column: str) -> pd.Series:
    """The values of a column by step; rows of other columns hold NaN there."""
    if column not in history:
        return pd.Series(dtype=float)
    return history.set_index("step")[column].dropna()


def _alt(folds: list[FoldFolder]) -> str:
    told = []
    for fold in folds:
        parts = ((label, _logged(fold.history, column)) for column, (_, label) in _PARTS.items())
        ends = [f"{label} from {loss.iloc[0]:.3g} to {loss.iloc[-1]:.3g}" for label, loss in parts if len(loss)]
        told.append(f"fold {fold.number}: {', '.join(ends)}")
    return "Loss against optimizer step. " + "; ".join(told) + "."


def _caption(folds: list[FoldFolder]) -> str:
    lines = "one line per fold" if len(folds) > 1 else "one fold"
    monitors = sorted(
        {str(best["monitor"]) for fold in folds if (best := fold.manifest.get("best", {})).get("monitor")}
    )
    return f"Loss while training, {lines}." + (
        f" The dot marks the weights that were kept: the best {monitors[0]}." if monitors else ""
    )
