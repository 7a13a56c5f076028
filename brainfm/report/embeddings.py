"""Embeddings drawn: points of the test part coloured by what they mean, flat and to be turned, and how sessions agree."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.resources import files

import numpy as np
import pandas as pd
from jaxtyping import Float
from markupsafe import Markup, escape
from numpy import ndarray

from brainfm.report.drawing import Picture, figure, picture, style
from brainfm.report.results import FoldFolder
from brainfm.statistics.consistency import between_datasets

FILE, _MOST_POINTS, _MOST_COLOURS = "embedding.parquet", 1500, 3


def embeddings(folds: list[FoldFolder], key: str) -> list[Picture]:
    """The pictures of the first fold that kept its embedding; none where the model makes none."""
    kept = [fold.path / FILE for fold in folds if (fold.path / FILE).is_file()]
    if not kept:
        return []
    table = pd.read_parquet(kept[0])
    columns = [name for name in table.columns if name[0] == "e" and name[1:].isdigit()]
    points, colours = table[columns].to_numpy(dtype=float), colours_of(table)
    drawn = [flat(points, colours, f"{key}-flat")]
    if points.shape[1] >= 3:
        drawn.append(turning(points, colours, f"{key}-turn"))
    return [*drawn, *_agreement(table, points, f"{key}-agree")]


def colours_of(table: pd.DataFrame) -> dict[str, ndarray]:
    """What points are coloured by: each dimension of the targets, and the session where there are several."""
    own = ("session", "window_id")
    named = [name for name in table.columns if not (name[0] == "e" and name[1:].isdigit()) and name not in own]
    found = {name: table[name].to_numpy(dtype=float) for name in named[:_MOST_COLOURS]}
    several = table["session"].nunique() > 1
    return found | ({"session": table["session"].to_numpy(dtype=float)} if several or not found else {})


def axes_of(points: Float[ndarray, "point dim"], n: int) -> Float[ndarray, "point axis"]:
    """The points along their `n` principal axes, so that what is seen does not depend on how a run turned them."""
    centred = points - points.mean(0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    return centred @ axes[:n].T


def flat(points: Float[ndarray, "point dim"], colours: dict[str, ndarray], key: str) -> Picture:
    """Two principal axes, a panel per colour."""
    shown = _some(len(points))
    xy = axes_of(points, 2)[shown]
    with style():
        drawn = figure(3.4 * len(colours) + 0.3, 3.2)
        for axes, (name, values) in zip(
            drawn.subplots(1, len(colours), squeeze=False)[0], colours.items(), strict=True
        ):
            dots = axes.scatter(
                xy[:, 0], xy[:, -1], c=values[shown], s=4, cmap="viridis", linewidths=0, rasterized=True
            )
            axes.set(title=name, xticks=[], yticks=[], aspect="equal")
            drawn.colorbar(dots, ax=axes, shrink=0.8)
        words = f"Embedding of {len(shown):,} test windows along two principal axes, coloured by {', '.join(colours)}."
        return picture(drawn, key, words, words)


def turning(points: Float[ndarray, "point dim"], colours: dict[str, ndarray], key: str) -> Picture:
    """Three principal axes on a canvas that the pointer turns; nothing is loaded from elsewhere."""
    shown = _some(len(points))
    xyz = axes_of(points, 3)[shown]
    data = {
        "points": np.round(xyz / np.abs(xyz).max(), 3).tolist(),
        "colours": {name: np.round(_to_one(values[shown]), 3).tolist() for name, values in colours.items()},
    }
    words = f"Embedding of {len(shown):,} test windows along three principal axes: drag to turn it, choose the colour below it."
    script = files("brainfm.report").joinpath("turning.js").read_text(encoding="utf-8")
    options = Markup("").join(Markup("<option>{}</option>").format(name) for name in colours)
    html = Markup(
        '<div id="{key}" role="img" aria-label="{words}">'
        '<canvas width="640" height="440" style="max-width:100%;cursor:grab"></canvas>'
        "<p><label>colour <select>{options}</select></label></p>"
        '<script type="application/json">{data}</script></div><script>{script}</script>'
    ).format(key=key, words=words, options=options, data=Markup(_safe(json.dumps(data))), script=_code(script, key))
    return Picture(html, str(escape(words)), words)


def matrix(values: Float[ndarray, "one other"], names: list[str], key: str, what: str) -> Picture:
    """A square of numbers, each row predicting each column."""
    with style():
        drawn = figure(1.0 * len(names) + 2.2, 0.9 * len(names) + 1.4)
        axes = drawn.subplots()
        axes.imshow(np.clip(values, 0, 1), vmin=0, vmax=1, cmap="viridis")
        for (i, j), value in np.ndenumerate(values):
            if np.isfinite(value):
                axes.text(j, i, f"{value:.2f}", ha="center", va="center", color="white" if value < 0.6 else "black")
        axes.set(xticks=range(len(names)), yticks=range(len(names)), xlabel="to session", ylabel="from session")
        axes.set_xticklabels(names)
        axes.set_yticklabels(names)
        return picture(drawn, key, what, what)


def _agreement(table: pd.DataFrame, points: ndarray, key: str) -> Iterator[Picture]:
    """How well each session's embedding predicts each other one, where there are several and a value to align them by."""
    values = [name for name, of in colours_of(table).items() if name != "session" and len(np.unique(of)) > 20]
    sessions = [(str(one), rows) for one, rows in table.groupby("session").indices.items()]
    if len(sessions) < 2 or not values:
        return
    label = table[values[0]].to_numpy(dtype=float)
    try:
        found = between_datasets(
            [points[rows] for _, rows in sessions], [label[rows] for _, rows in sessions], n_bins=20
        )
    except ValueError:
        return
    what = f"Consistency between sessions over {values[0]}: R², cross-validated over blocks of time."
    yield matrix(found, [name for name, _ in sessions], key, what)


def _some(n: int) -> ndarray:
    return np.unique(np.linspace(0, n - 1, min(n, _MOST_POINTS)).round().astype(int))


def _to_one(values: ndarray) -> ndarray:
    spread = np.ptp(values)
    return (values - values.min()) / (spread if spread > 0 else 1.0)


def _code(script: str, key: str) -> Markup:
    return Markup(script.replace("KEY", key))


def _safe(text: str) -> str:
    """JSON that cannot end the element it stands in."""
    return text.replace("<", "\\u003c")
