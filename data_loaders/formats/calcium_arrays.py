"""Traces of cells in plain arrays (.npz, .npy, .mat) that a sidecar describes:

modality: calcium
signal: dff                    # the variable with the traces; needed where there are several arrays
axes: [channel, time]          # each axis of it, in order
sfreq: 30                      # frames per second; or, under calcium, `timestamps: NAME`
ch_names: ids                  # a list or a variable; left out, cell0, cell1, ...
calcium: {...}                 # `data_loaders.formats.calcium_session`
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from data_loaders.formats.array_files import load_arrays, variable
from data_loaders.formats.calcium_session import CalciumSession, beside

SUFFIXES = (".npz", ".npy", ".mat")


def load(path: Path, description: Mapping[str, Any], entities: Mapping[str, str]) -> CalciumSession:
    """The traces of a file. Raises ValueError that names the line that is missing."""
    stated, arrays = dict(description.get("calcium", {})), load_arrays(path)
    fitting = [
        name for name, array in arrays.items() if array.ndim == 2 and array.dtype.kind in "fiu" and array.size > 1
    ]
    # scipy reads one cell as one axis
    fitting = fitting or [name for name, array in arrays.items() if array.ndim == 1 and array.dtype.kind in "fiu"]
    name = str(description.get("signal", fitting[0] if len(fitting) == 1 else ""))
    if not name:
        raise ValueError(
            f"{path.name} has {len(fitting)} arrays of two axes, {fitting}: say which are the traces by the line `signal: NAME`"
        )
    traces = variable(path, arrays, "signal", name)
    one = traces.ndim == 1
    traces = traces[:, None] if one else traces
    axes = [str(axis) for axis in description.get("axes", [])]
    if sorted(axes) != ["channel", "time"] or traces.ndim != 2:
        raise ValueError(
            f"{path.name}: {name} has the shape {traces.shape}, axes is {axes}: write `axes: [channel, time]` or [time, channel]"
        )
    traces = traces.T if axes[0] == "channel" and not one else traces
    names = description.get("ch_names")
    names = variable(path, arrays, "ch_names", names).ravel() if isinstance(names, str) else names
    rate = description.get("sfreq")
    rate = np.ravel(variable(path, arrays, "sfreq", rate))[0] if isinstance(rate, str) else rate
    return CalciumSession(
        entities=entities, traces=traces, name=name, sfreq=None if rate is None else float(rate),
        ch_names=tuple(map(str, names)) if names is not None else tuple(f"cell{i}" for i in range(traces.shape[1])),
        unit=str(description.get("unit", "n/a")), **beside(path, stated),
    )  # fmt: skip
