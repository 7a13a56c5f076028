"""Patterns: what each sensor does while the model's output is high, so that a map shows sources and not weights.

The activation pattern of an output is the covariance between it and the sensors, here per standard deviation of the
output. It holds for any model, since it takes nothing but predictions.
Reference: Haufe et al. 2014, On the interpretation of weight vectors, https://doi.org/10.1016/j.neuroimage.2013.10.067
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from numpy import ndarray
from scipy import stats

from brainfm.files import written
from brainfm.report.facts import class_name
from brainfm.report.results import Results, class_order, dimensions, window_ids
from brainfm.report.stores import store_of
from brainfm.run.folder import PREDICTIONS

FILE = "patterns.npz"
SENSORS = ("eeg", "mag", "grad")
_MOST_WINDOWS, _FEWEST_SENSORS = 2000, 8
_ANCHOR_BITS = 40  # of a window id: recording * 2**40 + anchor


@dataclass(frozen=True)
class Patterns:
    """Maps of every output: `power` in decibels, `amplitude` in volts or tesla at `peak` seconds after the anchor.

    `peak` is NaN, and the amplitudes mean nothing, where windows are not locked to events or no sensor follows the output.
    """

    model: str
    outputs: ndarray  # [output] names
    power: Float[ndarray, "output channel"]
    amplitude: Float[ndarray, "output channel"]
    peak: float
    ch_types: ndarray  # [channel] names
    ch_positions: Float[ndarray, "channel 3"]
    n_windows: int

    def save(self, path: Path) -> None:
        """Writes an .npz file, whole or not at all."""
        with written(path) as part:
            np.savez(part, **{field.name: getattr(self, field.name) for field in fields(self)})

    @classmethod
    def load(cls, path: Path) -> Patterns:
        """Reads what `save` wrote."""
        with np.load(path) as kept:
            arrays = {field.name: kept[field.name] for field in fields(cls)}
        return cls(
            **{
                **arrays,
                "model": str(arrays["model"]),
                "peak": float(arrays["peak"]),
                "n_windows": int(arrays["n_windows"]),
            }
        )


def patterns_of(run: Results, model: str, target: str) -> Patterns | None:
    """The patterns of a run's model; None where no sensor has a place on the head, or the store is gone.

    They are computed once, from the signals after the recipe's filters, and kept in the run folder.
    """
    predictions, kept = run.predictions(model, target), run.path / FILE
    if predictions.empty:
        return None
    if (known := _kept(run, kept)) is not None and known.model == model:
        return known
    field = run.init_args("data").get("fields", {}).get("signal")
    if not field or field.get("source", "signal") != "signal" or (store := _filtered(run)) is None:
        return None
    sensors = _sensors(store.entry(0))
    if len(sensors) < _FEWEST_SENSORS:
        return None
    found = _computed(store, predictions, sensors, (field["start"], field["stop"]), locked=_locked(run))
    replace(found, model=model).save(kept)
    return replace(found, model=model)


def _kept(run: Results, path: Path) -> Patterns | None:
    """What an earlier report computed, unless predictions were made since."""
    made = max(fold.stat().st_mtime for fold in run.path.glob(f"fold-*/{PREDICTIONS}"))
    return Patterns.load(path) if path.exists() and path.stat().st_mtime >= made else None


def outputs(predictions: pd.DataFrame) -> tuple[list[str], Float[ndarray, "window output"]]:
    """What the model said, as numbers that add: log-odds of classes (one column for two), values as they are.

    Standardised within each fold, because two models may speak at different volumes.
    """
    classes = class_order(predictions)
    if not classes:
        names = dimensions(predictions)
        values = predictions[[f"value_{name}" for name in names]].to_numpy(dtype=float)
    else:
        logs = np.log(predictions[[f"p_{name}" for name in classes]].to_numpy(dtype=float).clip(1e-6))
        names, values = (
            (classes[1:], logs[:, 1:] - logs[:, :1])
            if len(classes) == 2
            else (classes, logs - logs.mean(1, keepdims=True))
        )
    for fold in predictions["fold"].unique():
        member = (predictions["fold"] == fold).to_numpy()
        values[member] = (values[member] - values[member].mean(0)) / np.maximum(values[member].std(0), 1e-12)
    return names, values


@dataclass(frozen=True)
class Activation:
    """What goes with one standard deviation of each output: log power (dB), amplitude, and the latter's correlation."""

    power: Float[ndarray, "output channel"]
    amplitude: Float[ndarray, "output channel time"]
    correlation: Float[ndarray, "output channel time"]

    def peak(self, n_windows: int) -> int | None:
        """The sample at which a sensor follows an output most closely; None where chance alone would do as well.

        The largest correlation has to pass 5 %, corrected for the number of outputs, sensors and samples (Bonferroni).
        """
        bar = stats.norm.isf(0.025 / self.correlation.size) / np.sqrt(n_windows)
        by_time = np.abs(self.correlation).max((0, 1))
        return int(by_time.argmax()) if by_time.max() > bar else None


def activation(signals: Iterable[ndarray], values: Float[ndarray, "window output"]) -> Activation:
    """The activation of windows that `signals` yields one by one as [channel, time].

    `values` are standardised, so the mean of their product with a feature is the covariance.
    """
    power = amplitude = square = np.zeros(())
    for signal, value in zip(signals, values / len(values), strict=True):
        moving = signal - signal.mean(-1, keepdims=True)
        decibels = 10 * np.log10(np.maximum(moving.var(-1), 1e-40))
        power = power + np.multiply.outer(value, decibels)
        amplitude = amplitude + np.multiply.outer(value, moving)
        square = square + moving**2 / len(values)
    return Activation(power, amplitude, amplitude / np.sqrt(np.maximum(square, 1e-60)))


def _computed(
    store: Any, predictions: pd.DataFrame, sensors: ndarray, extent: tuple[float, float], locked: bool
) -> Patterns:
    ids = window_ids(predictions)
    same = np.isin(ids >> _ANCHOR_BITS, _alike(store))
    predictions, ids = predictions[same], ids[same]
    shown = np.unique(np.linspace(0, len(ids) - 1, min(len(ids), _MOST_WINDOWS)).round().astype(int))
    names, values = outputs(predictions.iloc[shown])
    found = activation((_window(store, int(i), extent)[sensors] for i in ids[shown]), values)
    peak = found.peak(len(shown)) if locked else None
    entry = store.entry(0)
    types, places = np.array(entry.ch_types)[sensors], entry.ch_positions[sensors]
    seconds = float("nan") if peak is None else extent[0] + peak / entry.sfreq
    return Patterns(
        "", np.array(names), found.power, found.amplitude[..., peak or 0], seconds, types, places, len(shown)
    )


def _window(store: Any, window_id: int, extent: tuple[float, float]) -> Float[ndarray, "channel time"]:
    recording, anchor = window_id >> _ANCHOR_BITS, window_id & ((1 << _ANCHOR_BITS) - 1)
    sfreq = store.entry(recording).sfreq
    first = anchor + round(extent[0] * sfreq)
    return store.signal(recording, first, first + round((extent[1] - extent[0]) * sfreq)).T.astype(np.float64)


def _alike(store: Any) -> list[int]:
    """The recordings with the channels and the rate of the first."""
    first = store.entry(0)
    return [
        i for i in range(len(store)) if (store.entry(i).ch_names, store.entry(i).sfreq) == (first.ch_names, first.sfreq)
    ]


def _sensors(entry: Any) -> ndarray:
    """The channels that a map can show: outside the head, placed, and not marked bad."""
    placed = np.isfinite(entry.ch_positions).all(1) & np.any(entry.ch_positions != 0, axis=1)
    fit = [t in SENSORS and n not in entry.bads for t, n in zip(entry.ch_types, entry.ch_names, strict=True)]
    return np.flatnonzero(placed & np.array(fit, dtype=bool))


def _locked(run: Results) -> bool:
    return class_name(run.init_args("data").get("windows")) != "Tile"


def _filtered(run: Results) -> Any:
    """The store after the recipe's leading filters, kept since the run; None where there are several, or it is gone."""
    store = store_of(run)
    if store is None:
        return None
    from brainfm.grammar.parts import build
    from data_loaders.derived import materialise

    transforms = [build(part, "transforms") for part in run.init_args("data").get("transforms") or []]
    lead = next((i for i, transform in enumerate(transforms) if not transform.continuous), len(transforms))
    return materialise(store, transforms[:lead])
