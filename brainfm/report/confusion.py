"""Confusion: which class was taken for which, in shares of the true class, with the counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from numpy import ndarray

from brainfm.report.drawing import INK, SERIES, Picture, figure, picture, style
from brainfm.report.results import class_order

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_CORNERS = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]])
_MOST_WRITTEN = 12  # with more classes the numbers would be too small to read


def confusion(predictions: dict[str, pd.DataFrame], key: str) -> Picture | None:
    """One matrix per model; None for regression."""
    classes = class_order(next(iter(predictions.values())))
    if not classes:
        return None
    with style():
        side = min(4.2, 2.4 + 0.32 * len(classes))
        drawn = figure(side * len(predictions) + 0.6, side)
        for axes, (model, table) in zip(
            drawn.subplots(1, len(predictions), squeeze=False)[0], predictions.items(), strict=True
        ):
            _draw(axes, counts(table), classes, model)
        return picture(drawn, key, _alt(predictions, classes), _CAPTION)


_CAPTION = (
    "Test windows of all folds: each row is a true class, each cell its share of that row and the number of windows."
)


def counts(predictions: pd.DataFrame) -> Int[ndarray, "true predicted"]:
    """How often each class (row) was taken for each (column): the class of the largest probability."""
    classes = class_order(predictions)
    guess = predictions[[f"p_{name}" for name in classes]].to_numpy().argmax(1)
    truth = truth_index(predictions["truth"], classes)
    table = np.zeros((len(classes), len(classes)), dtype=np.int64)
    np.add.at(table, (truth, guess), 1)
    return table


def truth_index(truth: pd.Series, classes: list[str]) -> Int[ndarray, "window"]:
    """The place of each true class in `classes`; the truth is a class's name, or already its place.

    Raises ValueError where a truth is neither.
    """
    places = {name: place for place, name in enumerate(classes)}
    if pd.api.types.is_numeric_dtype(truth) and not truth.astype(int).astype(str).isin(classes).all():
        return truth.to_numpy().astype(np.int64)
    names = truth.astype(int).astype(str) if pd.api.types.is_numeric_dtype(truth) else truth.astype(str)
    unknown = sorted(set(names) - set(places))
    if unknown:
        raise ValueError(
            f"predictions hold the true classes {unknown}, but probabilities only of {classes}: score the run again"
        )
    return names.map(places).to_numpy().astype(np.int64)


def _draw(axes: Axes, table: Int[ndarray, "true predicted"], classes: list[str], model: str) -> None:
    from matplotlib.collections import PolyCollection
    from matplotlib.colors import to_rgba

    share = _shares(table)
    corners = [(column + _CORNERS[:, 0], row + _CORNERS[:, 1]) for row, column in np.ndindex(share.shape)]
    cells = [np.stack(corner, axis=1) for corner in corners]
    axes.add_collection(PolyCollection(cells, facecolors=[to_rgba(SERIES[0], 0.62 * value) for value in share.ravel()]))
    for (row, column), value in np.ndenumerate(share if len(classes) <= _MOST_WRITTEN else np.empty((0, 0))):
        text = f"{value:.2f}\n{table[row, column]}"
        axes.text(column, row, text, ha="center", va="center", fontsize=9, color=INK)
    ticks = range(0, len(classes), max(1, len(classes) // _MOST_WRITTEN))
    axes.set_xticks(ticks, [classes[t] for t in ticks], **_slanted(classes))
    axes.set_yticks(ticks, [classes[t] for t in ticks])
    axes.tick_params(length=0)
    axes.set(xlim=(-0.5, len(classes) - 0.5), ylim=(len(classes) - 0.5, -0.5), aspect="equal", title=model)
    axes.set(xlabel="predicted", ylabel="true")


def _slanted(classes: list[str]) -> dict[str, Any]:
    """How the names under the columns are turned, so that long ones do not meet."""
    return {"rotation": 35, "ha": "right", "rotation_mode": "anchor"} if max(map(len, classes)) > 6 else {}


def _shares(table: Int[ndarray, "true predicted"]) -> Float[ndarray, "true predicted"]:
    return table / np.maximum(1, table.sum(1, keepdims=True))


def _alt(predictions: dict[str, pd.DataFrame], classes: list[str]) -> str:
    told = [
        f"{model} finds {_recalls(np.diag(_shares(counts(table))), classes)}" for model, table in predictions.items()
    ]
    return "Confusion matrix. " + "; ".join(told) + "."


def _recalls(recall: Float[ndarray, "class"], classes: list[str]) -> str:
    """The share of each class that was found; of many classes the worst and the best."""
    if len(classes) <= _MOST_WRITTEN:
        return ", ".join(f"{value:.2f} of {name}" for name, value in zip(classes, recall, strict=True))
    worst, best = int(recall.argmin()), int(recall.argmax())
    return f"between {recall[worst]:.2f} ({classes[worst]}) and {recall[best]:.2f} ({classes[best]}) of {len(classes)} classes"
