"""Topomaps: patterns drawn on the head, one panel per output and kind of sensor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from brainfm.report.drawing import INK, Picture, figure, picture, style
from brainfm.report.patterns import SENSORS, Patterns

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_OUTPUTS, _COLUMNS = 4, 4
HEAD = 0.095  # metres: the radius of the head that mne draws
_UNITS = {"eeg": (1e6, "µV"), "mag": (1e15, "fT"), "grad": (1e13, "fT/cm")}


@dataclass(frozen=True)
class Panel:
    """One map: values at places in the plane."""

    title: str
    unit: str
    values: Float[ndarray, "place"]
    places: Float[ndarray, "place 2"]
    signed: bool


def topomaps(patterns: Patterns, key: str) -> Picture:
    """The patterns as maps seen from above, nose up."""
    drawn_panels = panels(patterns)
    with style():
        drawn = topomap_figure(drawn_panels)
        return picture(drawn, key, _alt(drawn_panels, patterns.model), _caption(patterns))


def topomap_figure(drawn_panels: list[Panel]) -> Figure:
    """Four maps to a row."""
    n_rows, n_columns = -(-len(drawn_panels) // _COLUMNS), min(_COLUMNS, len(drawn_panels))
    drawn = figure(1.9 * n_columns + 0.4, 2.5 * n_rows)
    axes = drawn.subplots(n_rows, n_columns, squeeze=False).ravel()
    for panel, place in zip(drawn_panels, axes, strict=False):
        _draw(place, panel)
    for empty in axes[len(drawn_panels) :]:
        empty.set_axis_off()
    return drawn


def panels(patterns: Patterns) -> list[Panel]:
    """Log power and, where windows are locked to events, amplitude: per kind of sensor, for the first few outputs."""
    made = []
    for sensor in [s for s in SENSORS if s in patterns.ch_types]:
        member = patterns.ch_types == sensor
        places = flattened(patterns.ch_positions[member])
        for output, power, amplitude in zip(
            patterns.outputs[:_MOST_OUTPUTS], patterns.power, patterns.amplitude, strict=False
        ):
            made.append(_panel(f"{output}\n{sensor}, log power", "dB", power[member], places, signed=True))
            if np.isfinite(patterns.peak):
                scale, unit = _UNITS[sensor]
                title = f"{output}\n{sensor}, {patterns.peak * 1000:.0f} ms"
                made.append(_panel(title, unit, scale * amplitude[member], places, signed=sensor != "grad"))
    return made


def flattened(positions: Float[ndarray, "channel 3"]) -> Float[ndarray, "channel 2"]:
    """Positions on the head (metres), unrolled from the crown so that distances from it are kept."""
    x, y, z = (positions - _centre(positions)).T
    from_crown = np.arctan2(np.hypot(x, y), z)
    radius = HEAD * from_crown / (np.pi / 2)
    around = np.arctan2(y, x)
    return np.stack([radius * np.cos(around), radius * np.sin(around)], axis=1)


def _centre(positions: Float[ndarray, "channel 3"]) -> Float[ndarray, "3"]:
    """The centre of the sphere that fits the positions best: |p|^2 = 2 p . c + k is linear in c and k."""
    design = np.column_stack([2 * positions, np.ones(len(positions))])
    solution, *_ = np.linalg.lstsq(design, (positions**2).sum(1), rcond=None)
    return solution[:3]


def _panel(title: str, unit: str, values: ndarray, places: ndarray, signed: bool) -> Panel:
    """Sensors at one place (the two gradiometers of a pair) are shown as one: their mean, or length where sign has no meaning."""
    spots, inverse = np.unique(places.round(4), axis=0, return_inverse=True)
    mean = np.bincount(inverse.ravel(), values) / np.bincount(inverse.ravel())
    joined = mean if signed else np.sqrt(np.bincount(inverse.ravel(), values**2))
    return Panel(title, unit, joined, spots, signed)


def _draw(axes: Axes, panel: Panel) -> None:
    import mne

    largest = float(np.abs(panel.values).max()) or 1.0
    image, _ = mne.viz.plot_topomap(
        panel.values, panel.places, axes=axes, show=False, contours=0, sensors=True, sphere=HEAD, extrapolate="local",
        cmap="RdBu_r" if panel.signed else "Reds", vlim=(-largest if panel.signed else 0, largest),
    )  # fmt: skip
    for line in axes.lines:
        line.set_color(INK)
    axes.set_title(panel.title, fontsize=9, loc="center")
    bar = axes.figure.colorbar(image, ax=axes, orientation="horizontal", shrink=0.6, aspect=12, pad=0.02)
    bar.set_ticks([image.norm.vmin, image.norm.vmax])
    bar.set_ticklabels([f"{image.norm.vmin:.2g}", f"{image.norm.vmax:.2g} {panel.unit}"], fontsize=8)


def _alt(drawn: list[Panel], model: str) -> str:
    named = ", ".join(" ".join(panel.title.split("\n")) for panel in drawn)
    return f"Maps of the head from above, nose up: activation patterns of {model} for {named}."


def _caption(patterns: Patterns) -> str:
    locked = np.isfinite(patterns.peak)
    when = " Amplitudes are those of the time at which a sensor follows the output most closely." if locked else ""
    return (
        f"Activation patterns (Haufe et al. 2014) of {patterns.model}, which decodes best: how sensors change when its output "
        f"rises by one standard deviation, over {patterns.n_windows:,} test windows, after the recipe's filters.{when} Dots are "
        "sensors. A pattern shows what goes together with the output, eye and muscle activity included; it does not show what "
        "causes it."
    )
