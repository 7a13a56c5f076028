"""Stimuli that training and test share: a model of responses to them has then heard the test before."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from jaxtyping import Float
from numpy import ndarray

from data_loaders.intervals import sfreqs, spans
from data_loaders.leakage.base import Flag, pairs
from data_loaders.splits.base import Fold
from data_loaders.windows import Windows


def shared_stimuli(fold: Fold) -> list[Flag]:
    """A flag that names what both parts were shown: a stimulus, or the same moments of one that lasts (`data_loaders.played`)."""
    flags = []
    for pair in pairs(fold):
        names = sorted(_shared(pair.a, pair.b))
        if names:
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            said = f"{pair.names[0]} and {pair.names[1]} share the stimulus {', '.join(names[:3])}{more}"
            repair = "a model of the responses to it is tested on what it was trained on: split by stimulus"
            flags.append(Flag("stimulus", f"{said}: {repair}"))
    return flags[:1]


def _shared(a: Windows, b: Windows) -> Iterator[str]:
    if not all("stimulus" in part.metadata.columns for part in (a, b)):
        return
    shown = [_shown(part) for part in (a, b)]
    for name in set(shown[0]["stimulus"]) & set(shown[1]["stimulus"]):
        one, other = (table.loc[table["stimulus"] == name, ["start", "stop"]].to_numpy() for table in shown)
        if _meet(one, other):
            yield str(name)


def _shown(windows: Windows) -> pd.DataFrame:
    """What each run of windows was shown, and the seconds of it; all of it where nobody knows when it began."""
    start, stop = (edge / sfreqs(windows) for edge in spans(windows))
    table = windows.metadata[["stimulus"]].assign(start=-np.inf, stop=np.inf)
    if "stimulus_onset" in windows.metadata.columns:
        onset = windows.metadata["stimulus_onset"].to_numpy(dtype=float)
        table = table.assign(start=start - onset, stop=stop - onset)
    return table[table["stimulus"].notna() & (table["stimulus"].astype(str) != "")]


def _meet(a: Float[ndarray, "a 2"], b: Float[ndarray, "b 2"]) -> bool:
    """Whether a stretch of one overlaps one of the other."""
    return bool(((a[:, None, 0] < b[:, 1]) & (b[:, 0] < a[:, None, 1])).any())
