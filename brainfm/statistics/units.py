"""What counts as one: the group a metric is computed on, the unit labels are exchanged by, the cluster that is resampled."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool, Int
from numpy import ndarray

from brainfm.statistics.permutation import slow
from brainfm.statistics.predictions import Predicted

MIN_SUBJECTS = 6  # below, subjects are too few to be resampled or compared
_BLOCKS, _TRIALS = 20, 50  # blocks of time, or runs of trials, per subject and fold
_LEVELS = {
    "subject and fold": ["subject", "fold", "seed"],
    "subject": ["subject", "seed"],
    "fold": ["fold", "seed"],
    "all windows": ["seed"],
}
_UNITS = {
    "subject": ["seed", "subject"],
    "recording": ["seed", "recording_name"],
    "trial": ["seed", "recording_name", "segment"],
}
_SHUFFLED = "labels shuffled between windows"


@dataclass(frozen=True)
class Groups:
    """A metric is computed on each group; groups of one owner are averaged, then owners.

    The owner is the subject where groups belong to subjects, else each group is its own.
    """

    level: str
    codes: Int[ndarray, "sample"]
    owner: Int[ndarray, "group"]
    by_subject: bool

    def members(self) -> list[Bool[ndarray, "sample"]]:
        """Which samples belong to each group."""
        return _members(self.codes)


@dataclass(frozen=True)
class Exchange:
    """How the truth is dealt out anew within a group: units swapped, or each recording turned in time."""

    name: str
    codes: Int[ndarray, "sample"]
    shift: bool


@dataclass(frozen=True)
class Clusters:
    """What a bootstrap draws, and among which others (the stratum) it is drawn."""

    name: str
    codes: Int[ndarray, "sample"]
    strata: Int[ndarray, "cluster"]
    are_subjects: bool = False


def groups(predicted: Predicted) -> Groups:
    """The finest level at which half of the windows or more lie in groups that can be scored.

    A label that is constant within subjects (age, diagnosis) has no score per subject: it is scored per fold or over all.
    """
    level = next((level for level, columns in _LEVELS.items() if _scored(predicted, columns)), "all windows")
    columns = _LEVELS[level]
    codes = number(predicted.windows, columns)
    by_subject = "subject" in columns
    first = np.unique(codes, return_index=True)[1]
    owner = number(predicted.windows, ["subject"])[first] if by_subject else np.arange(len(first))
    return Groups(level, codes, owner, by_subject)


def exchange(predicted: Predicted, groups: Groups) -> Exchange:
    """The coarsest unit with one label each (subject, recording, trial) that a group has several of; else windows.

    Labels that outlast a window, and all values that vary in time, are shifted in time within their recording instead.
    """
    windows = predicted.windows
    pieces = number(windows, ["seed", "fold", "recording_name"])
    for name, columns in _UNITS.items():
        codes = number(windows, columns)
        if _constant(predicted.codes, codes) and _several(codes, groups.codes):
            windows_each = len(codes) / len(np.unique(codes))
            return Exchange(f"labels shuffled between {name}s" if windows_each > 1 else _SHUFFLED, codes, False)
    if predicted.truth.ndim == 2:
        return Exchange("truth shifted in time within recordings", pieces, True)
    if slow(predicted.codes, pieces):
        return Exchange("labels shifted in time within recordings", pieces, True)
    return Exchange(_SHUFFLED, np.arange(len(windows)), False)


def clusters(predicted: Predicted) -> Clusters:
    """Subjects where there are six; else their sessions or recordings where these are enough; else trials or blocks of time."""
    windows = predicted.windows
    subject = number(windows, ["subject"])
    if (n_subjects := len(np.unique(subject))) >= MIN_SUBJECTS:
        return Clusters(f"{n_subjects} subjects", subject, np.zeros(n_subjects, dtype=int), are_subjects=True)
    for name, columns in (("sessions", ["subject", "session"]), ("recordings", ["subject", "recording_name"])):
        found = _stratified(name, number(windows, columns), subject)
        each = np.bincount(found.strata)
        if each.min() >= 3 and len(found.strata) - len(each) >= MIN_SUBJECTS - 1:
            return found
    return _trials_or_blocks(windows, subject)


def _trials_or_blocks(windows: pd.DataFrame, subject: ndarray) -> Clusters:
    """Consecutive windows of a subject and fold; each stands alone where it is a trial and there are few."""
    trial = number(windows, ["recording_name", "segment"])
    are_trials = windows["segment"].nunique() > 1 and np.bincount(trial).max() == 1
    parts = number(windows, ["subject", "fold", "seed"])
    block = np.empty(len(windows), dtype=np.int64)
    for member in _members(parts):  # windows are in order of time within a recording
        n = int(member.sum())
        block[member] = np.arange(n) * min(_TRIALS if are_trials else _BLOCKS, n) // n
    codes = number(pd.DataFrame({"part": parts, "block": block}), ["part", "block"])
    alone = "trials" if are_trials else "windows"
    together = "runs of consecutive trials" if are_trials else "blocks of time"
    return _stratified(alone if len(np.unique(codes)) == len(codes) else together, codes, subject)


def _stratified(name: str, codes: ndarray, subject: ndarray) -> Clusters:
    strata = subject[np.unique(codes, return_index=True)[1]]
    who = "1 subject" if strata.max() == 0 else f"{strata.max() + 1} subjects"
    return Clusters(f"{len(strata)} {name} of {who}", codes, strata)


def number(table: pd.DataFrame, columns: list[str]) -> Int[ndarray, "sample"]:
    """One integer per distinct row of these columns."""
    return table.groupby(columns, sort=True, dropna=False).ngroup().to_numpy(dtype=np.int64)


def _scored(predicted: Predicted, columns: list[str]) -> bool:
    """Whether half of the windows or more lie in groups that can be scored."""
    members = _members(number(predicted.windows, columns))
    n_scored = sum(int(m.sum()) for m in members if predicted.tally.defined(predicted.truth[m]))
    return n_scored >= 0.5 * len(predicted.windows)


def _members(codes: Int[ndarray, "sample"]) -> list[Bool[ndarray, "sample"]]:
    return [codes == code for code in np.unique(codes)]


def _constant(label: ndarray, unit: ndarray) -> bool:
    """Whether every unit has a single label."""
    return len(np.unique(np.stack([unit, label]), axis=1).T) == len(np.unique(unit))


def _several(unit: ndarray, group: ndarray) -> bool:
    """Whether the units lie within groups, and most groups have more than one."""
    pairs = np.unique(np.stack([unit, group]), axis=1)
    nested = pairs.shape[1] == len(np.unique(unit))
    return nested and bool(np.median(np.bincount(pairs[1])) > 1)
