"""Series of a grid: the scores of one model and target along the axis that scales, and the laws fitted to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd

from brainfm.grammar.nearest import RecipeError, did_you_mean
from brainfm.statistics.scaling import Scaling, fit_scaling, prospective, smaller

# what each cell counts besides its axes
MEASURED = ("n_parameters", "n_train", "train_hours")
# scores without an upper bound
_UNBOUNDED = ("bits_per_spike",)
_FACTORS = ("subject", "seed")
_NO_BOUND, _FEW = 1e3, 3


@dataclass(frozen=True)
class Axis:
    """What is called x: a key of the grid or a measured column; the first axis of numbers where left out.

    `sizes` gives values of the axis that are words their number (feature models, and their parameters).
    """

    x: str | None = None
    metric: str | None = None
    sizes: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Series:
    """Score rows of one model and target with a column `x`; `apart` are the axes that set it off from other series.

    `scaling` is None where there are too few sizes to fit; `foreseen` says how the fit of the smaller half predicts the rest,
    and is empty where the smaller half has fewer than three sizes.
    """

    model: str
    target: str
    metric: str
    x: str
    apart: dict[str, Any]
    rows: pd.DataFrame
    scaling: Scaling | None
    foreseen: pd.DataFrame
    clusters: tuple[str, ...]

    @property
    def name(self) -> str:
        """The model, and what sets the series off."""
        return ", ".join([self.model, *(f"{key.rpartition('.')[2]} {value}" for key, value in self.apart.items())])

    def facts(self) -> dict[str, Any]:
        """What fits.json says of it."""
        told = {"model": self.model, "target": self.target, "metric": self.metric, "x": self.x, **self.apart}
        told |= {"resampled": list(self.clusters), "sizes": self.means()["x"].tolist()}
        if self.scaling is not None:
            told["fits"] = self.scaling.table().to_dict("records")
            told["predicted"] = self.scaling.predict(self.beyond()).to_dict("records")
        return told | {"prospective": self.foreseen.to_dict("records")}

    def means(self) -> pd.DataFrame:
        """Per size: x, score, chance, baseline, ceiling."""
        columns = ["score", "chance", "baseline", "ceiling"]
        return self.rows.groupby("x")[columns].mean().reset_index()

    def beyond(self) -> np.ndarray:
        """Sizes from the smallest to four times the largest, over which laws are drawn."""
        x = self.rows["x"]
        return np.geomspace(x.min(), 4 * x.max(), 60)

    def sentence(self) -> str:
        """The result in one line."""
        what = f"{self.name}, {self.metric} of {self.target} against {self.x}"
        if self.scaling is None:
            return f"{what}: {self.rows['x'].nunique()} sizes, no law is fitted below {_FEW}"
        best = self.scaling.preferred
        parts = zip(best.law.parameters, best.value, best.interval().values(), strict=True)
        told = ", ".join(f"{name} {value:.3g} [{low:.3g}, {high:.3g}]" for name, value, (low, high) in parts)
        hits = self.foreseen["inside"].sum() if len(self.foreseen) else 0
        ahead = f"; {hits} of {len(self.foreseen)} larger sizes foreseen from half" if len(self.foreseen) else ""
        return f"{what}: {best.law.name}, {told}{ahead}"


def series_of(rows: pd.DataFrame, axes: Sequence[str], axis: Axis) -> list[Series]:
    """Every series of a table of cells. Raises RecipeError where the axis is none or has no numbers."""
    x = axis.x or _first_numeric(rows, axes, axis.sizes)
    if x not in (*axes, *MEASURED):
        raise RecipeError(f"--x {x!r} is no axis of the grid: {did_you_mean(x, [*axes, *MEASURED])}")
    rows = rows.assign(x=_numbers(rows[x], x, axis.sizes), score=rows["value"])
    apart = [key for key in axes if key not in (x, "seed") and _separates(rows, key)]
    print(f"series: {x} is x" + (f", apart by {', '.join(apart)}" if apart else ""))
    found = []
    for (model, target), own in rows.groupby(["model", "target"], sort=False):
        metrics = list(dict.fromkeys(own["metric"]))
        metric = axis.metric or metrics[0]
        if metric not in metrics:
            raise RecipeError(
                f"--metric {metric!r} is none that {model} was scored with: {did_you_mean(metric, metrics)}"
            )
        of = own[own["metric"] == metric]
        parts = list(of.groupby(apart, sort=False)) if apart else [((), of)]
        if len(parts) > 1 and _alike([part for _, part in parts]):
            # a baseline that takes nothing of what the axis varies: once is enough
            parts = [((), parts[0][1])]
        for values, part in parts:
            found.append(
                _series(part, str(model), str(target), metric, x, dict(zip(apart, values, strict=bool(values))))
            )
    return found


def _series(rows: pd.DataFrame, model: str, target: str, metric: str, x: str, apart: dict[str, Any]) -> Series:
    upper = _NO_BOUND if metric in _UNBOUNDED else 1.0
    clusters = [name for name in _FACTORS if rows[name].nunique() > 1]
    # of one subject the folds are all there is to draw; seeds alone would leave the data out
    clusters = tuple(clusters if rows["subject"].nunique() > 1 else ["fold", *clusters])
    sizes = np.unique(rows.dropna(subset=["score"])["x"])
    scaling = fit_scaling(rows, clusters, upper) if len(sizes) >= _FEW else None
    ahead = smaller(sizes).sum() >= _FEW
    foreseen = prospective(rows, clusters, upper) if ahead else pd.DataFrame()
    return Series(model, target, metric, x, apart, rows, scaling, foreseen, clusters)


def _alike(parts: Sequence[pd.DataFrame]) -> bool:
    """Whether each part holds the same scores of the same people, folds, seeds and sizes."""
    keys = ["x", *_FACTORS, "fold"]
    tables = [part.sort_values(keys, kind="stable")[[*keys, "score"]].reset_index(drop=True) for part in parts]
    return all(table.equals(tables[0]) for table in tables[1:])


def _first_numeric(rows: pd.DataFrame, axes: Sequence[str], sizes: Mapping[str, float]) -> str:
    for key in axes:
        known = rows[key].map(lambda value: str(value) in sizes or _is_number(value))
        if key != "seed" and known.all() and rows[key].nunique() > 1:
            return key
    raise RecipeError(
        f"no axis of the grid ({', '.join(axes)}) has two numbers or more: name what is x with --x, one of the axes or "
        f"{', '.join(MEASURED)}; give words their number with --sizes WORD=NUMBER"
    )


def _numbers(values: pd.Series, x: str, sizes: Mapping[str, float]) -> pd.Series:
    words = [str(value) for value in values.unique() if str(value) not in sizes and not _is_number(value)]
    if words:
        raise RecipeError(
            f"{x} has values that are no numbers ({words[0]}): give each one with --sizes {words[0]}=NUMBER"
        )
    return values.map(lambda value: float(sizes.get(str(value), value)))


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _separates(rows: pd.DataFrame, key: str) -> bool:
    """Whether x varies within the values of an axis as it does over all; an axis that decides x sets nothing apart."""
    return bool(rows.groupby(key)["x"].nunique().min() > 1) and rows[key].nunique() > 1
