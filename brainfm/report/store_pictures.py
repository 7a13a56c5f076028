"""Pictures of a store: the traces of a window, and where channels are on the head."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from brainfm.report.topomap import HEAD, flattened
from data_loaders.catalog import Entry
from data_loaders.store import Store

_MAX_TRACES, _MAX_NAMES = 64, 130
_INSIDE = ("ecog", "seeg", "dbs")
_COLOURS = ("#1b4965", "#b5651d", "#4f772d", "#7b2d8b", "#a11d33", "#555555")


def window(store: Store, recording: int, start: float, seconds: float, out: Path) -> None:
    """Draws the traces of [start, start + seconds) s; spikes as ticks. Raises ValueError where the recording has no such time."""
    entry = _entry(store, recording)
    if not 0 <= start < entry.duration or seconds <= 0:
        raise ValueError(
            f"{entry.name} lasts {entry.duration:g} s: choose --start from 0 to there, and --seconds above 0"
        )
    stop = min(start + seconds, entry.duration)
    figure, axes = _figure(10.0, 2 + 0.16 * min(len(entry.ch_names), _MAX_TRACES))
    if entry.has_spikes:
        spikes = store.spikes(recording, start, stop)
        axes.plot(spikes.times, -spikes.channels, "|", color=_COLOURS[0])
        axes.set(ylabel="unit", yticks=[])
    else:
        first, last = round(start * entry.sfreq), round(stop * entry.sfreq)
        _traces(axes, store.signal(recording, first, last), start + np.arange(last - first) / entry.sfreq, entry)
    axes.set(xlabel="seconds", title=f"{entry.name}, {entry.sfreq:g} Hz")
    _save(figure, out)


def channels(store: Store, recording: int, out: Path) -> None:
    """Draws where the channels are, from above, nose up. Raises ValueError where no position is known.

    Sensors outside of the head are unrolled from the crown, as in the maps of a report; contacts inside it are seen straight down.
    """
    entry = _entry(store, recording)
    known = np.array([not np.isnan(place).any() for place in entry.ch_positions])
    if not known.any():
        raise ValueError(
            f"{entry.name} has no channel with a position: give ch_positions in a sidecar, or an electrodes.tsv"
        )
    if left := int((~known).sum()):
        print(f"{left} of {len(known)} channels have no position and are not drawn")
    # the two gradiometers and the magnetometer of one place are one dot
    spots, first = np.unique(entry.ch_positions[known].round(3), axis=0, return_index=True)
    names, kinds = (np.array(values)[known] for values in (entry.ch_names, entry.ch_types))
    inside = bool(set(kinds) & set(_INSIDE)) or len(spots) < 4
    figure, axes = _figure(7.0, 7.0)
    _head(axes, spots[:, :2] if inside else flattened(spots), names[first] if len(spots) <= _MAX_NAMES else None)
    axes.set_title(f"{entry.name}: " + ", ".join(f"{(kinds == kind).sum()} {kind}" for kind in dict.fromkeys(kinds)))
    _save(figure, out)


def _entry(store: Store, recording: int) -> Entry:
    if not 0 <= recording < len(store):
        raise ValueError(f"{store.path} has {len(store)} recordings: choose --recording from 0 to {len(store) - 1}")
    return store.entry(recording)


def _traces(axes: Any, signal: Float[ndarray, "time channel"], time: ndarray, entry: Entry) -> None:
    """One line per channel, each type to its own scale; what is bad is grey."""
    shown, types = range(min(len(entry.ch_names), _MAX_TRACES)), list(dict.fromkeys(entry.ch_types))
    if len(shown) < len(entry.ch_names):
        print(f"the first {len(shown)} of {len(entry.ch_names)} channels are drawn")
    for kind in types:
        of_kind = [i for i in shown if entry.ch_types[i] == kind]
        scale = (
            6 * float(np.median(np.abs(signal[:, of_kind] - np.median(signal[:, of_kind], axis=0)))) if of_kind else 1.0
        )
        for i in of_kind:
            colour = "#bbbbbb" if entry.ch_names[i] in entry.bads else _COLOURS[types.index(kind) % len(_COLOURS)]
            axes.plot(time, (signal[:, i] - np.median(signal[:, i])) / (scale or 1.0) - i, color=colour, linewidth=0.5)
    axes.set(yticks=[-i for i in shown], xlim=(time[0], time[-1]))
    axes.set_yticklabels([entry.ch_names[i] for i in shown], fontsize=6)


def _head(axes: Any, places: Float[ndarray, "spot 2"], names: ndarray | None) -> None:
    """MNE's head with a dot, and a name, at each place (metres)."""
    import mne

    mne.viz.plot_topomap(
        np.zeros(len(places)), places, axes=axes, show=False, contours=0, cmap="Greys", vlim=(0, 1), sensors=True,
        sphere=HEAD, names=None if names is None else list(names),
    )  # fmt: skip


def _figure(width: float, height: float) -> tuple[Any, Any]:
    # made without pyplot: nothing stays open, and no display is needed
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.add_subplot()


def _save(figure: Any, out: Path) -> None:
    from brainfm.files import written

    with written(out) as part:
        figure.savefig(part, format="png")
