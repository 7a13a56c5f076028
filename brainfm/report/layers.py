"""Layers: the score of every layer of every feature model in a grid, and what choosing one on other people would have given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from brainfm.report.drawing import INK, SERIES, Picture, figure, picture, style
from brainfm.report.features import NAMED, split
from brainfm.report.sentences import counted, number, words
from brainfm.report.tables import Table
from brainfm.run.series import Series
from brainfm.statistics.scaling import averaged

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Layer:
    """One layer of one feature model: its mean score at the largest size, and the interval over what was resampled."""

    model: str
    layer: str
    value: float
    low: float
    high: float
    ceiling: float

    @property
    def depth(self) -> float:
        """Its number; NaN where the output has a name instead."""
        digits = self.layer.removeprefix("layer")
        return float(digits) if digits.isdigit() else float("nan")


def layers_of(found: Sequence[Series], key: str) -> tuple[Picture, Table] | None:
    """Of the trained model's rows under one target; None where no axis names layers of feature models."""
    rows = pd.concat([one.rows for one in found if one.model == found[0].model], ignore_index=True)
    axis = _axis(rows)
    if axis is None:
        return None
    # at the largest size of each, or a layer would be judged by how little it was trained on
    largest = rows.groupby(axis)["x"].transform("max")
    rows = rows[rows["x"] == largest].dropna(subset=["score"])
    layers = [_layer(str(name), own, found[0].clusters) for name, own in rows.groupby(axis, sort=False)]
    return _drawn(layers, found[0].metric, key), _table(layers, rows, axis, found[0])


def _axis(rows: pd.DataFrame) -> str | None:
    """The key of the grid whose values are two or more features named by model and layer."""
    for name in map(str, rows):
        if (
            name.endswith(".source")
            and rows[name].nunique() > 1
            and rows[name].map(lambda v: bool(NAMED.fullmatch(str(v)))).all()
        ):
            return name
    return None


def _layer(name: str, rows: pd.DataFrame, clusters: Sequence[str]) -> Layer:
    means = averaged(rows, clusters, 1000, 0)
    low, high = np.nanquantile(means.resampled[:, 0], [0.025, 0.975]) if means.freedom else (np.nan, np.nan)
    return Layer(*split(name), float(means.score[0]), float(low), float(high), float(rows["ceiling"].mean()))


def _table(layers: list[Layer], rows: pd.DataFrame, axis: str, one: Series) -> Table:
    best = int(np.argmax([layer.value for layer in layers]))
    cells = [
        [
            x.model,
            x.layer,
            number3(x.value),
            "–" if np.isnan(x.low) else f"{number3(x.low)} to {number3(x.high)}",
            number(x.ceiling),
        ]
        for x in layers
    ]
    columns = ["feature model", "layer", words(one.metric), "95 % interval", "ceiling"]
    return Table(_caption(layers[best], rows, axis), columns, cells, words=2, marked=(best,))


def number3(value: float) -> str:
    """Three decimals: layers lie close together."""
    return f"{value:.3f}".replace("-", "−")


def _caption(best: Layer, rows: pd.DataFrame, axis: str) -> str:
    told = (
        f"At the largest size. Marked: the best by the scores shown here, {best.model} {best.layer}; a best of many is too good, since it "
        "was chosen by what it is judged by."
    )
    honest = chosen_elsewhere(rows, axis)
    if honest is None:
        return told
    value, names, unit = honest
    most = max(set(names), key=names.count)
    return (
        f"{told} Chosen for each {unit} by the other {unit}s alone, the score is {number3(value)} "
        f"({most} for {names.count(most)} of {counted(len(names), unit)})."
    )


def chosen_elsewhere(rows: pd.DataFrame, axis: str) -> tuple[float, list[str], str] | None:
    """The mean score when each subject (or fold, of one subject) takes the layer that is best for the others.

    Also the choices, and what chose. None where there are fewer than three.
    """
    unit = "subject" if rows["subject"].nunique() > 1 else "fold"
    wide = rows.pivot_table(index=unit, columns=axis, values="score").dropna()
    if len(wide) < 3:
        return None
    others = (wide.sum() - wide) / (len(wide) - 1)
    names = others.idxmax(axis=1)
    values = [wide.loc[one, name] for one, name in names.items()]
    return float(np.mean(values)), list(map(str, names)), unit


def _drawn(layers: list[Layer], metric: str, key: str) -> Picture:
    with style():
        drawn = figure(7.0, 3.6)
        axes = drawn.subplots()
        for i, model in enumerate(dict.fromkeys(layer.model for layer in layers)):
            _line(axes, [layer for layer in layers if layer.model == model], SERIES[i % len(SERIES)])
        axes.set(xlabel="layer (0: embeddings)", ylabel=words(metric))
        axes.locator_params(axis="x", integer=True)
        drawn.legend(loc="outside lower center", ncols=2)
        return picture(drawn, key, _alt(layers, metric), _DRAWN)


_DRAWN = "The mean score of each layer at the largest size, with 95 % intervals; named outputs stand at the right. The diamond is the best."


def _line(axes: Axes, own: list[Layer], colour: str) -> None:
    last = np.nanmax([layer.depth for layer in own] + [0.0])
    depth = np.array([last + 1 if np.isnan(layer.depth) else layer.depth for layer in own])
    order = np.argsort(depth, kind="stable")
    middle, low, high = (np.array([getattr(own[i], name) for i in order]) for name in ("value", "low", "high"))
    away = np.maximum([middle - low, high - middle], 0)
    bars = None if np.isnan(away).any() else away
    axes.errorbar(depth[order], middle, bars, fmt="-o", color=colour, ms=4, lw=1.2, label=own[0].model)
    best = int(middle.argmax())
    axes.plot(depth[order][best], middle[best], "D", color=INK, ms=7, mew=0)


def _alt(layers: list[Layer], metric: str) -> str:
    told = ", ".join(f"{layer.model} {layer.layer} {layer.value:.3f}" for layer in layers)
    return f"{words(metric)} of each layer: {told}."
