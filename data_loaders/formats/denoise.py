"""Confounds, filters and standardisation of a scan, through nilearn, as the sidecar asks; nothing is done that it does not.

    confounds: simple                    # for fMRIPrep, a strategy of nilearn's load_confounds_strategy: simple, scrubbing, compcor, ...
    confounds: {strategy: [motion, wm_csf, scrub], motion: basic, fd_threshold: 0.3}      # or the arguments of load_confounds
    confounds: {file: "{subject}_motion.txt", columns: [tx, ty, tz]}                      # or any table with one row per volume
    detrend: true                        # a line is taken out of each run
    high_pass: 0.008                     # hertz; low_pass likewise
    filter: cosine                       # butterworth (the default) or cosine
    standardize: zscore_sample           # or psc (per cent of the mean), of each run

Volumes that a strategy scrubs, and non-steady-state ones, stay in place as zeros and are cut from the segments.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float
from numpy import ndarray

from data_loaders.formats.companions import load_table
from data_loaders.formats.scan import Scan

KEYS = ("confounds", "detrend", "high_pass", "low_pass", "standardize")
_UNITS = {"psc": "%", "zscore_sample": "n/a", "zscore": "n/a"}


@dataclass(frozen=True)
class Confounds:
    """Regressors, one row per volume, and which volumes are good."""

    table: pd.DataFrame | None = None
    good: Bool[ndarray, "time"] | None = None
    notes: tuple[str, ...] = ()


def confounds_of(path: Path, stated: Any, n_volumes: int, file: Path | None) -> Confounds:
    """What the sidecar's `confounds` stands for; `file` is the table that it names, where it names one.

    Raises ValueError where the table has another number of rows than the scan has volumes.
    """
    if stated is None:
        return Confounds()
    if file is not None:
        values, names = load_table(file).numbers(stated.get("columns"), file)
        found = Confounds(
            pd.DataFrame(values, columns=list(names)),
            notes=(f"{len(names)} confounds of {file.name} are regressed out",),
        )
    else:
        found = _fmriprep(path, stated, n_volumes)
    if found.table is not None and len(found.table) != n_volumes:
        raise ValueError(
            f"the confounds of {path.name} have {len(found.table)} rows, it has {n_volumes} volumes: they are not of this run"
        )
    if found.table is not None and found.table.isna().any(axis=None):
        holes = found.table.columns[found.table.isna().any()].tolist()
        return replace(
            found,
            table=found.table.bfill().ffill(),
            notes=(*found.notes, f"missing values of {holes[:4]} take their neighbour's"),
        )
    return found


def non_steady(path: Path, table: Path, n_volumes: int) -> Confounds:
    """Without a strategy, only the non-steady-state volumes that fMRIPrep marks are cut."""
    frame = load_table(table).frame
    if len(frame) != n_volumes:
        raise ValueError(
            f"{table.name} has {len(frame)} rows, {path.name} has {n_volumes} volumes: they are not of one run"
        )
    marks = [c for c in frame.columns if str(c).startswith("non_steady_state")]
    return _cut(
        None,
        ~frame[marks].fillna(0).to_numpy(dtype=bool).any(axis=1) if marks else None,
        "marked as not in steady state",
    )


def cleaned(scan: Scan, confounds: Confounds, description: Mapping[str, Any], tr: float, runs: ndarray | None) -> Scan:
    """The scan through nilearn.signal.clean, run by run; as it is where the sidecar asks for nothing."""
    if not any(description.get(key) for key in KEYS):
        return scan
    from nilearn.signal import clean

    options: dict[str, Any] = {name: description.get(name) for name in ("high_pass", "low_pass")} | {
        "detrend": bool(description.get("detrend", False)), "standardize": description.get("standardize") or None,
        "filter": description.get("filter", "butterworth") if description.get("high_pass") or description.get("low_pass") else False,
        "t_r": tr,
    }  # fmt: skip
    _check(options, tr)
    out = np.zeros(scan.values.shape, np.float32)
    heard: list[str] = []
    table = confounds.table if confounds.table is not None and confounds.table.shape[1] else None
    for rows in _runs(runs, len(out)):
        good = rows if confounds.good is None else rows[confounds.good[rows]]
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            out[good] = clean(
                scan.values[rows].astype(np.float32), confounds=None if table is None else table.iloc[rows].to_numpy(),
                sample_mask=None if len(good) == len(rows) else good - rows[0], **options,
            )  # fmt: skip
        heard += [f"nilearn: {' '.join(str(w.message).split())[:200]}" for w in caught]
    unit = _UNITS.get(str(options["standardize"]), scan.unit)
    done = ", ".join(
        f"{name} {value}" for name, value in options.items() if value not in (None, False) and name != "t_r"
    )
    return replace(scan, values=out, gain=None, offset=None, unit=unit,
                   notes=(*scan.notes, *([f"cleaned by nilearn: {done}"] if done else []), *dict.fromkeys(heard)))  # fmt: skip


def _check(options: Mapping[str, Any], tr: float) -> None:
    known = (None, "zscore_sample", "psc", "zscore")
    if options["standardize"] not in known:
        raise ValueError(f"standardize is {options['standardize']!r}, expected one of {known[1:]}: mend the sidecar")
    for name in ("high_pass", "low_pass"):
        if options[name] is not None and not 0 < float(options[name]) < 0.5 / tr:
            raise ValueError(
                f"{name} is {options[name]} Hz, expected between 0 and {0.5 / tr:g} Hz (half the rate of volumes): mend the sidecar"
            )


def _runs(runs: ndarray | None, n_volumes: int) -> list[ndarray]:
    return [np.arange(n_volumes)] if runs is None else [np.flatnonzero(runs == run) for run in np.unique(runs)]


def _fmriprep(path: Path, stated: Any, n_volumes: int) -> Confounds:
    from nilearn.interfaces.fmriprep import load_confounds, load_confounds_strategy

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            if isinstance(stated, str):
                table, kept = load_confounds_strategy(str(path), denoise_strategy=stated)  # pyright: ignore[reportArgumentType]
            else:
                table, kept = load_confounds(str(path), **{**stated, "strategy": tuple(stated.get("strategy", ()))})
        except (ValueError, TypeError, OSError, KeyError) as error:
            raise ValueError(
                f"{path.name}: confounds {stated!r}: nilearn says: {' '.join(str(error).split())[:400]}"
            ) from error
    assert not isinstance(table, list)
    assert not isinstance(kept, list)
    good = None if kept is None else np.isin(np.arange(n_volumes), kept)
    names = [] if table is None else list(map(str, table.columns))
    found = _cut(table, good, "scrubbed or not in steady state")
    return replace(found, notes=(f"confounds {stated}: {len(names)} regressors ({', '.join(names[:6])})", *found.notes))


def _cut(table: pd.DataFrame | None, good: ndarray | None, why: str) -> Confounds:
    lost = 0 if good is None else int((~good).sum())
    return Confounds(
        table,
        good if lost else None,
        (f"{lost} of {len(good)} volumes are {why}: cut from the segments",) if lost and good is not None else (),
    )


def segments_of(good: Bool[ndarray, "time"], tr: float) -> Float[ndarray, "segment 2"]:
    """The stretches of good volumes, in seconds."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], good.astype(np.int8), [0]])))
    return edges.reshape(-1, 2) * tr
