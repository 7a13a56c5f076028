"""Events tables as BIDS has them, from annotations and stimulus channels; BAD spans and borders as segments."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float
from numpy import ndarray

if TYPE_CHECKING:
    import mne

_BAD = re.compile(r"bad", re.IGNORECASE)
# a pause of the recording: what is left and right of it was not measured in one go
_BORDER = re.compile(r"(edge|boundary|new segment/)", re.IGNORECASE)


def empty_events() -> pd.DataFrame:
    """A table without a row, with the columns that every table has."""
    return pd.DataFrame({"onset": np.zeros(0), "duration": np.zeros(0), "trial_type": np.zeros(0, dtype=str)})


def annotated(raw: mne.io.BaseRaw) -> pd.DataFrame:
    """All annotations, BAD spans and borders among them; onsets in seconds from the first sample."""
    notes = raw.annotations
    table = pd.DataFrame(
        {
            "onset": notes.onset - raw.first_time,
            "duration": notes.duration,
            "trial_type": [str(d) for d in notes.description],
        }
    )
    extras = pd.DataFrame([dict(extra) for extra in getattr(notes, "extras", None) or []])
    if len(extras) == len(table):
        table = table.join(extras[[name for name in extras if name not in table]])
    return table if len(table) else empty_events()


def triggered(raw: mne.io.BaseRaw) -> pd.DataFrame:
    """The rising steps of the stimulus channel: `value` is the code, `trial_type` the code as text."""
    import mne

    # BioSemi keeps its own state in the bits above the sixteen of the trigger
    mask = 0xFFFF if "Status" in raw.ch_names else None
    found = mne.find_events(raw, shortest_event=1, mask=mask, mask_type="and", uint_cast=True, verbose="error")
    onset = (found[:, 0] - raw.first_samp) / raw.info["sfreq"]
    codes = found[:, 2].astype(int)
    return pd.DataFrame(
        {"onset": onset, "duration": np.zeros(len(onset)), "trial_type": codes.astype(str), "value": codes}
    )


def is_special(table: pd.DataFrame) -> Bool[ndarray, "event"]:
    """True for rows that say something of the recording (BAD spans, borders) and not of the experiment."""
    kinds = table.get("trial_type", pd.Series("", index=table.index)).astype(str)
    return np.array([bool(_BAD.match(kind) or _BORDER.match(kind)) for kind in kinds], dtype=bool)


def split_special(
    table: pd.DataFrame, duration: float, sfreq: float
) -> tuple[pd.DataFrame, Float[ndarray, "segment 2"], list[str]]:
    """Events proper, the stretches that BAD spans and borders leave (whole samples), and what was decided."""
    special = is_special(table)
    rows = table[special]
    bad = np.array([bool(_BAD.match(str(kind))) for kind in rows.get("trial_type", [])], dtype=bool)
    spans = np.stack([rows["onset"], rows["onset"] + rows["duration"].fillna(0)], 1) if len(rows) else np.zeros((0, 2))
    spans[~bad, 1] = spans[~bad, 0]
    spans = np.stack([np.floor(spans[:, 0] * sfreq + 1e-6), np.ceil(spans[:, 1] * sfreq - 1e-6)], 1) / sfreq
    spans[~bad, 1] = spans[~bad, 0]
    segments = without(np.array([[0.0, duration]]), spans)
    lost = duration - float((segments[:, 1] - segments[:, 0]).sum())
    notes = (
        [
            f"{bad.sum()} BAD spans ({lost:.3g} s) and {(~bad).sum()} borders cut the recording into {len(segments)} segments"
        ]
        if len(rows)
        else []
    )
    return table[~special].reset_index(drop=True), segments, notes


def without(segments: Float[ndarray, "segment 2"], spans: Float[ndarray, "span 2"]) -> Float[ndarray, "left 2"]:
    """What is left of the segments when the spans go; a span of no length cuts in two.

    >>> without(np.array([[0.0, 10.0]]), np.array([[2.0, 3.0], [5.0, 5.0], [9.0, 20.0]]))
    array([[0., 2.],
           [3., 5.],
           [5., 9.]])
    """
    pieces = [(float(start), float(stop)) for start, stop in segments]
    for begin, end in spans[np.argsort(spans[:, 0], kind="stable")]:
        pieces = [part for start, stop in pieces for part in _cut(start, stop, float(begin), float(end))]
    return np.array(pieces, dtype=float).reshape(-1, 2)


def _cut(start: float, stop: float, begin: float, end: float) -> list[tuple[float, float]]:
    if end <= start or begin >= stop:
        return [(start, stop)]
    return [(a, b) for a, b in ((start, min(begin, stop)), (max(end, start), stop)) if b > a]


def inside(table: pd.DataFrame, duration: float, sfreq: float) -> tuple[pd.DataFrame, list[str]]:
    """Events with an onset within the recording (half a sample of rounding is forgiven), and which were dropped."""
    slack = 0.5 / sfreq
    onset = pd.to_numeric(table["onset"], errors="coerce")
    keep = ((onset >= -slack) & (onset < duration)).to_numpy()
    kept = table[keep].assign(onset=onset[keep].clip(lower=0.0).astype(float)).reset_index(drop=True)
    if keep.all():
        return kept, []
    examples = ", ".join(f"{v:g} s" for v in table["onset"][~keep][:3])
    return kept, [f"{np.sum(~keep)} events outside the recording of {duration:g} s are dropped (onsets {examples})"]


def tidy(table: pd.DataFrame) -> pd.DataFrame:
    """Columns named so that they can be stored and asked for: text without `/`, onset first."""
    table = table.rename(columns=lambda name: str(name).replace("/", "_"))
    first = [name for name in ("onset", "duration", "trial_type", "value") if name in table]
    return table[first + [name for name in table if name not in first]]


def trials(
    n_trials: int, n_times: int, zero: int, sfreq: float, columns: dict[str, Sequence[Any] | ndarray]
) -> tuple[pd.DataFrame, ndarray, list[str]]:
    """The events and segments of cut trials laid end to end, time zero being `zero` samples into each trial."""
    notes = []
    if not 0 <= zero < n_times:
        notes.append(
            f"time zero lies {abs(zero) / sfreq:g} s outside the trials: each trial's event is put on its first sample"
        )
        zero = 0
    start = np.arange(n_trials) * n_times  # [trial]
    table = pd.DataFrame(
        {"onset": (start + zero) / sfreq, "duration": np.full(n_trials, (n_times - zero) / sfreq)} | columns
    )
    return table, np.stack([start, start + n_times], 1) / sfreq, notes
