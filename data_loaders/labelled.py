"""What is known of windows by name: targets, columns, sizes; of whole runs of them wherever that will do."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from data_loaders import cutting, targets
from data_loaders.contracts import Field
from data_loaders.gather import Gather
from data_loaders.kinds import Kinds
from data_loaders.store import Store
from data_loaders.windows import Windows


def labelled(texts: Sequence[str], windows: Windows, store: Store) -> tuple[Windows, list[targets.Target]]:
    """The windows that have all targets, and the targets; how many have none is printed."""
    found = []
    for text in texts:
        target, windows = targets.resolve(text, windows, store)
        known = target.known(windows)
        if not known.all():
            print(
                f"target {target.name}: {windows.count[~known].sum()} of {len(windows)} windows have none and are left out"
            )
            windows = windows.runs(known)
        found.append(target)
    return windows, found


def sizes(gather: Gather) -> dict[str, Int[ndarray, "run"]]:
    """Channels (after the transforms) and samples (before them) of the signal, in the windows of each run."""
    windows, field = gather.windows, gather.fields.get("signal")
    kinds = Kinds.of(windows, gather.store, gather.transforms)
    plans = [gather.plan(recording) for recording in kinds.first.tolist()]
    n_chans = np.array([plan.n_chans for plan in plans])[kinds.of_run]
    if field is None:
        return {"n_chans": n_chans, "n_times": np.zeros_like(n_chans)}
    sfreq = np.array([plan.infos[0].sfreq for plan in plans])[kinds.of_run]
    seconds = _stops(field, windows, gather.store) - field.start
    return {"n_chans": n_chans, "n_times": np.round(seconds * sfreq).astype(np.int64)}


def _stops(field: Field, windows: Windows, store: Store) -> Float[ndarray, "run"] | float:
    """Where the field ends in the first window of each run, as `fields.stop_of` tells it window by window."""
    if math.isfinite(field.stop):
        return field.stop
    whole, (_, seconds) = cutting.segments(store), store.segments
    segment = cutting.segment_at(whole, windows.recording, windows.first)
    return seconds[segment, 1] - windows.first / cutting.sfreqs(store, windows.recording)


class Labels:
    """What samplers ask for: a label of each window, or of whole runs of windows where that is what it belongs to."""

    def __init__(self, read: Callable[[str], ndarray], known: Sequence[targets.Target], gather: Gather) -> None:
        self._read, self._known, self._gather = read, {target.name: target for target in known}, gather

    def __call__(self, name: str) -> ndarray:
        of_runs = self.of_runs(name)
        return self._read(name) if of_runs is None else np.repeat(of_runs, self._gather.windows.count)

    def of_runs(self, name: str) -> ndarray | None:
        """The label of each run; None where windows of a run may differ."""
        windows, target = self._gather.windows, self._known.get(name)
        if name in ("n_chans", "n_times"):
            return sizes(self._gather)[name]
        if isinstance(target, targets.ColumnTarget):
            return target.of_runs(windows)
        return windows.metadata[name].to_numpy() if target is None and name in windows.metadata else None
