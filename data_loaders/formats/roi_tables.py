"""Series of regions in tables (.csv, .tsv, .txt) and arrays (.mat, .npz, HDF5): one row or column per volume.

modality: fmri
pattern: "ROIs/{subject}.mat"       # which files are recordings, and whose
tr: 2.0                             # seconds between volumes
axes: [time, channel]               # or [channel, time]; may be left out where a table has a header
signal: ROISignals                  # the variable, for arrays with several
columns: [left_V1, right_V1]        # which columns of a table are regions; left out, all are
ch_names: [LATL, RATL]              # or {file: rois.csv, column: abb}, or the variable that holds them; names win over the header
times: t                            # in place of `tr`: the column with the time of each volume in seconds
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from data_loaders.formats import hdf5_matrices
from data_loaders.formats.array_files import load_arrays, variable
from data_loaders.formats.companions import NumberTable, load_table
from data_loaders.formats.scan import DamagedError, Scan
from data_loaders.formats.sidecar import ARRAY_SUFFIXES

SUFFIXES = (".csv", ".tsv", ".txt", *ARRAY_SUFFIXES, *hdf5_matrices.SUFFIXES)
_AXES = (["time", "channel"], ["channel", "time"])


def read_table(
    path: Path, description: Mapping[str, Any], names_file: Path | None = None
) -> tuple[Scan, NumberTable | None]:
    """The regions of one file, and the whole table where it is one (streams and labels may be columns of it).

    Raises ValueError that names the line of the sidecar that is missing.
    """
    if path.suffix.lower() in hdf5_matrices.SUFFIXES:
        values = _oriented(path, hdf5_matrices.matrix(path, description), description)
        names, table = (), None
    elif path.suffix.lower() in ARRAY_SUFFIXES:
        arrays = load_arrays(path)
        values, names, table = _array(path, arrays, description), (), None
        stated = description.get("ch_names")
        names = tuple(map(str, np.ravel(variable(path, arrays, "ch_names", stated)))) if isinstance(stated, str) else ()
    else:
        values, names, table = _columns(path, description)
    names = _named(path, description, names_file) or names or tuple(f"roi{i + 1:03d}" for i in range(values.shape[1]))
    if len(names) != values.shape[1] or len(set(names)) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise ValueError(f"{path.name} has {values.shape[1]} regions and {len(names)} names, {twice[:3] or 'none'} of "
                         f"them twice: give each "
                         f"its own name in `ch_names`, or mend `axes` or `columns`")  # fmt: skip
    if not len(values):
        raise DamagedError(path, "it has no row")
    told = (
        ()
        if table is None or _without_numbering(table, description) is None
        else ("the first column numbers the rows: no region",)
    )
    scan = Scan(
        values, names, np.full((len(names), 3), np.nan), None, "a table does not state its repetition time", notes=told
    )
    return (
        (_timed(path, scan, table, str(description["times"])), table)
        if "times" in description and table is not None
        else (scan, table)
    )


def _columns(
    path: Path, description: Mapping[str, Any]
) -> tuple[Float[ndarray, "time channel"], tuple[str, ...], NumberTable]:
    table = load_table(path)
    if "axes" not in description and not table.named:
        rows, columns = table.frame.shape
        raise ValueError(f"{path.name} has {rows} rows and {columns} columns and no header: are rows volumes or regions? "
                         f"State `axes: [time, channel]` "
                         f"or `axes: [channel, time]` in the sidecar")  # fmt: skip
    values, names = table.numbers(description.get("columns", _without_numbering(table, description)), path)
    transposed = _axes(path, description) == ["channel", "time"]
    return (values.T if transposed else values), (names if table.named and not transposed else ()), table


def _without_numbering(table: NumberTable, description: Mapping[str, Any]) -> list[Any] | None:
    """All columns but a first one without a name that numbers the rows, as pandas and spreadsheets write it; None for all."""
    first, *others = table.frame.columns
    if "columns" in description or not table.named or not str(first).startswith("Unnamed:") or not others:
        return None
    numbers = table.frame[first].to_numpy()
    return others if np.array_equal(numbers, numbers[0] + np.arange(len(numbers))) else None


def _array(path: Path, arrays: Mapping[str, ndarray], description: Mapping[str, Any]) -> Float[ndarray, "time channel"]:
    if "signal" in description:
        values = variable(path, arrays, "signal", description["signal"])
    else:
        fitting = [name for name, a in arrays.items() if a.ndim == 2 and a.dtype.kind in "fiu" and a.size > 1]
        if len(fitting) != 1:
            raise ValueError(f"{path.name} has {len(fitting)} matrices, {fitting}: say which holds the regions by the line "
                             f"`signal: {fitting[0] if fitting else 'NAME'}`")  # fmt: skip
        values = arrays[fitting[0]]
    if values.ndim != 2 or values.dtype.kind not in "fiu":
        raise ValueError(f"{path.name}: the signal has the shape {values.shape} and holds {values.dtype}, expected a matrix of numbers: "
                         f"name another variable in `signal`")  # fmt: skip
    return _oriented(path, values, description).astype(float)


def _oriented(path: Path, values: ndarray, description: Mapping[str, Any]) -> Float[ndarray, "time channel"]:
    if "axes" not in description:
        raise ValueError(f"{path.name} holds a matrix of {values.shape[0]} x {values.shape[1]}: are its rows volumes or regions? State "
                         f"`axes: [time, channel]` or `axes: [channel, time]` in the sidecar")  # fmt: skip
    return values if _axes(path, description) == ["time", "channel"] else values.T


def _axes(path: Path, description: Mapping[str, Any]) -> list[str]:
    axes = [str(axis) for axis in description.get("axes", _AXES[0])]
    if axes not in _AXES:
        raise ValueError(f"{path.name}: axes is {axes}, expected [time, channel] or [channel, time]: mend the sidecar")
    return axes


def _named(path: Path, description: Mapping[str, Any], names_file: Path | None) -> tuple[str, ...]:
    """Names that the sidecar lists, itself or in a file."""
    stated = description.get("ch_names")
    if isinstance(stated, Mapping) and names_file is not None:
        table = load_table(names_file)
        return tuple(table.frame[table.column(stated.get("column", 0), names_file)].astype(str))
    return tuple(map(str, stated)) if isinstance(stated, list) else ()


def _timed(path: Path, scan: Scan, table: NumberTable, column: str) -> Scan:
    """The repetition time by a column of times; that column is no region."""
    times = table.numbers([column], path)[0][:, 0]
    steps = np.diff(times)
    if len(steps) < 1 or not (steps > 0).all() or np.ptp(steps) > 0.01 * steps.mean():
        raise ValueError(
            f"{path.name}: the times in {column!r} do not rise in equal steps: state `tr` (seconds) in place of `times`, or mend them"
        )
    keep = [i for i, name in enumerate(scan.ch_names) if name != column]
    return replace(scan, values=scan.values[:, keep], ch_names=tuple(scan.ch_names[i] for i in keep), positions=scan.positions[keep],
                   tr=float(steps.mean()), tr_told=f"its column {column} rises by {steps.mean():g}")  # fmt: skip
