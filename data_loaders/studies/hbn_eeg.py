"""Healthy Brain Network EEG: eleven releases, and the copies that the EEG Challenge 2025 gave out."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from data_loaders.archives import buckets
from data_loaders.archives.base import File
from data_loaders.contracts import Recording
from data_loaders.studies.base import Study

# there is no ds005513
RELEASES = {f"R{i}": f"ds{number:06d}" for i, number in enumerate((*range(5505, 5513), *range(5514, 5517)), 1)}
PHENOTYPES = ("age", "sex", "ehq_total", "p_factor", "attention", "internalizing", "externalizing")
# the first challenge looks at [0.5, 2.5) s after the stimulus: 200 samples of 100 Hz
WINDOW = (0.5, 2.5)
# seconds after an instruction in which one 2 s window follows the other
_REST = {"instructed_toCloseEyes": ("eyes_closed", 15.0, 29.0), "instructed_toOpenEyes": ("eyes_open", 5.0, 19.0)}
_TARGETS = ("left_target", "right_target")
_PRESSES = ("left_buttonPress", "right_buttonPress")


class HBNEEG(Study):
    """EEG of over 3,000 children and young people in six tasks: 128 channels and Cz, with psychopathology factors.

    Parts: `R1` to `R11` are the challenge's copies (BDF, 100 Hz, 0.5 to 50 Hz, Cz reference), `R1_mini` to `R11_mini` 20 people
    of each, `R1_raw` to `R11_raw` the releases on OpenNeuro (EEGLAB, 500 Hz). `prepare` adds two kinds of events to what the
    files have: `contrast_trial` at each stimulus of the contrast change task that was answered (columns `reaction_time` in
    seconds, `side`), and `eyes_open` or `eyes_closed` of 2 s where rest is told to be so.

    Split by subject, or hold out a release; R5 is what tutorials and NeuralBench test on.
    """

    title = "Healthy Brain Network EEG (HBN-EEG), with the copies of the EEG Challenge 2025"
    url = "https://openneuro.org/datasets/ds005505 (R1; see RELEASES), https://eeg2025.github.io"
    licence = "CC-BY-SA 4.0"
    citation = "Shirazi et al. 2024, bioRxiv 2024.10.03.615261; Alexander et al. 2017, Scientific Data 4:170181"
    modality = "eeg"
    parts = (*RELEASES, *(f"{r}_mini" for r in RELEASES), *(f"{r}_raw" for r in RELEASES))
    default = "R5_mini"

    def files(self, part: str | None = None) -> list[File]:
        release, _, kind = str(part or self.default).partition("_")
        if kind == "raw":
            return buckets.listing("openneuro.org", f"{RELEASES[release]}/")
        return buckets.listing("nmdatasets", f"NeurIPS25/{release}{'_mini' if kind else ''}_L100_bdf/")

    def sidecar(self) -> dict[str, Any]:
        return {"study": self.name}

    def amended(self, recording: Recording) -> Recording:
        if recording.events is None or "trial_type" not in recording.events:
            return recording
        found = {"contrast_trial": contrast_trials(recording.events), "rest": rest_windows(recording.events)}
        told = tuple(f"{len(table)} events named {name} by hbn_eeg" for name, table in found.items() if len(table))
        tables = [recording.events, *(table for table in found.values() if len(table))]
        events = pd.concat(tables, ignore_index=True).sort_values("onset", kind="stable", ignore_index=True)
        return replace(recording, events=events, decisions=(*recording.decisions, *told))


def contrast_trials(events: pd.DataFrame) -> pd.DataFrame:
    """The answered trials of the contrast change task: `onset` at the stimulus, `reaction_time` (seconds) and `side` of the press.

    A trial lasts from one contrastTrial_start to the next, so the last has no end and is dropped; its stimulus is the first
    target in it, its answer the first button press after that. Trials without either are left out.
    """
    kind, onset = events["trial_type"].astype(str).to_numpy(), events["onset"].to_numpy(dtype=float)
    starts = np.sort(onset[kind == "contrastTrial_start"])
    rows = []
    for start, stop in itertools.pairwise(starts):
        stimulus = _first(kind, onset, _TARGETS, start, stop)
        press = None if stimulus is None else _first(kind, onset, _PRESSES, np.nextafter(onset[stimulus], np.inf), stop)
        if stimulus is not None and press is not None:
            rows.append((onset[stimulus], onset[press] - onset[stimulus], kind[press].removesuffix("_buttonPress")))
    table = pd.DataFrame(rows, columns=["onset", "reaction_time", "side"])
    return table.assign(duration=0.0, trial_type="contrast_trial")


def rest_windows(events: pd.DataFrame) -> pd.DataFrame:
    """Windows of 2 s with eyes closed (15 to 29 s after the instruction) or open (5 to 19 s): seven for each instruction."""
    rows = [
        {"onset": onset + after, "duration": 2.0, "trial_type": name}
        for instruction, (name, first, last) in _REST.items()
        for onset in events.loc[events["trial_type"].astype(str) == instruction, "onset"].astype(float)
        for after in np.arange(first, last, 2.0)
    ]
    return pd.DataFrame(rows, columns=["onset", "duration", "trial_type"]).sort_values(
        "onset", kind="stable", ignore_index=True
    )


def _first(kind: np.ndarray, onset: np.ndarray, wanted: tuple[str, ...], start: float, stop: float) -> int | None:
    """Which event of a kind comes first in [start, stop)."""
    among = np.flatnonzero(np.isin(kind, wanted) & (onset >= start) & (onset < stop))
    return int(among[np.argmin(onset[among])]) if len(among) else None
