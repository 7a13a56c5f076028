"""What could be decoded from recordings: streams, kinds of events, tasks, and columns of participants, with suitable windows."""

from __future__ import annotations

import glob
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from data_loaders.summary import Summary

# fewer of a kind cannot be shared out to folds with something left to learn from
FEWEST = 6
_MOST_CLASSES = 40
_NO_TYPE = {"", "n/a", "nan", "none", "unknown"}
# recorded along with the brain; to decode them from it shows artefacts, or nobody knows what
_ASIDE = {
    "eog",
    "ecg",
    "emg",
    "bio",
    "resp",
    "temperature",
    "gsr",
    "ref",
    "chpi",
    "syst",
    "exci",
    "stim",
    "misc",
    "motion",
}
# seconds from what happens to the response of the blood, and how long that lasts
_DELAY, _LASTS = 4.0, 4.0
# a correlation of fewer volumes says little
_CONNECTOME = 20
# from this many people on, the question is whether it works in people never seen
PEOPLE = 4


@dataclass(frozen=True)
class Option:
    """Something that can be decoded: `target` in the grammar of targets, and the windows (seconds) that suit it.

    `kinds` are the trial types, or None where windows are tiled every `stride` seconds; `column` is where a window's
    class stands, empty where the target is a value.
    """

    target: str
    why: str
    start: float
    stop: float
    kinds: tuple[str, ...] | None = None
    stride: float = 0.0
    column: str = ""
    people: bool = False
    cut: bool = False


def options(summary: Summary) -> list[Option]:
    """All that can be decoded, the first the one to start with."""
    streams = list(_streams(summary))
    first, last = (streams, []) if _of_cells(summary) else ([], streams)
    return [*first, *_trial_types(summary), *_tasks(summary), *_participants(summary), *last]


def _of_cells(summary: Summary) -> bool:
    """Cells are recorded for what they say of behaviour; it comes first among what can be decoded."""
    return bool({"spikes", "calcium"} & set(summary.modalities))


def _streams(summary: Summary) -> Iterator[Option]:
    spikes, tr = "spikes" in summary.modalities, _repetition_time(summary)
    # beside intracranial electrodes the free channels hold the sensors of the task: grip, buttons, sound
    aside = _ASIDE - {"misc"} if "ieeg" in summary.modalities else _ASIDE
    small = {
        name: width for name, width in summary.streams.items() if 0 < width <= 6 and name.split("_")[0] not in aside
    }
    seconds = sum(r.duration for r in summary.recordings)
    # at most about twenty thousand windows: more of them overlap and teach nothing new
    stride = max(0.02 if spikes else 0.1, float(f"{seconds / 20_000:.1g}"))
    if tr:
        stride = tr
    for name in sorted(small, key=lambda name: ("vel" not in name, "pos" not in name, name)):
        if tr:
            yield Option(
                f"stream.{name}", f"{small[name]} values", *_after(tr, 2 * _LASTS, 0.5 * _DELAY), stride=stride
            )
            continue
        why = f"{small[name]} values on their own clock"
        yield Option(f"stream.{name}", why, *_history(summary), stride=max(stride, _frame(summary)))


def _history(summary: Summary) -> tuple[float, float]:
    """The seconds before a value that it is decoded from; for frames of cells as many as make a second, and at least the one."""
    if "calcium" in summary.modalities:
        frame = _frame(summary)
        return (-round(1.0 / frame) * frame if frame < 0.5 else 0.0), frame
    return (-0.5 if "spikes" in summary.modalities else -1.0), 0.0


def _frame(summary: Summary) -> float:
    """Seconds between frames of calcium imaging: windows are no nearer than that."""
    return 1 / min(summary.sfreqs) if "calcium" in summary.modalities else 0.0


def _trial_types(summary: Summary) -> Iterator[Option]:
    counts = _usable_types(summary)
    if len(counts) < 2:
        return
    chosen = summary.events[summary.events["trial_type"].isin(list(counts))]
    why = ", ".join(f"{name} {n}" for name, n in list(counts.items())[:6]) + (" and more" if len(counts) > 6 else "")
    cut, tr = _trial_bounds(summary, chosen), _repetition_time(summary)
    yield Option(
        "events.trial_type",
        why,
        *(_after(tr, max(_LASTS, _lasts(chosen))) if tr else cut or _reach(chosen)),
        kinds=tuple(counts),
        column="trial_type",
        cut=cut is not None and not tr,
    )


def _usable_types(summary: Summary) -> dict[str, int]:
    """Trial types that occur often enough, in nearly everybody, the rarest no rarer than a twentieth of the most frequent."""
    found = {
        name: n
        for name, n in summary.trial_types.items()
        if name.lower().rpartition("/")[2] not in _NO_TYPE and "|" not in name
    }
    found = _families(found)
    most = max(found.values(), default=0)
    if not most:
        return {}
    people = summary.events.groupby("trial_type")["subject"].nunique()
    everybody = 0.8 * people.max()
    usable = {name: n for name, n in found.items() if n >= max(FEWEST, most / 20) and people[name] >= everybody}
    return dict(sorted(usable.items())) if len(usable) <= _MOST_CLASSES else {}


def _families(found: dict[str, int]) -> dict[str, int]:
    """Where names have a slash (auditory/left), the kinds that share what stands before it belong together."""
    sizes = Counter(name.partition("/")[0] for name in found if "/" in name)
    related = {name: n for name, n in found.items() if sizes[name.partition("/")[0]] > 1}
    return related or found


def _trial_bounds(summary: Summary, chosen: pd.DataFrame) -> tuple[float, float] | None:
    """For trials that were cut out before, the stretch around the event that all of them have; None for continuous recordings."""
    before, after = [], []
    for index, rows in chosen.groupby("recording"):
        facts, onset = summary.recordings[int(str(index))], rows["onset"].to_numpy(dtype=float)
        segment = np.searchsorted(facts.segments[:, 0], onset + 1e-9, side="right") - 1
        if len(facts.segments) < FEWEST or len(np.unique(segment)) < 0.9 * len(onset):
            return None
        before.append(float(np.min(onset - facts.segments[segment, 0])))
        after.append(float(np.min(facts.segments[segment, 1] - onset)))
    # to the millisecond inwards, so that no window crosses a border by rounding
    return math.ceil(-min(before) * 1000 - 1e-6) / 1000, math.floor(min(after) * 1000 + 1e-6) / 1000


def _reach(chosen: pd.DataFrame) -> tuple[float, float]:
    """From the event until the next, but no longer than what lasts: a second, or up to four where the event itself does."""
    gaps = chosen.sort_values("onset").groupby("recording")["onset"].diff().dropna()
    spacing = float(np.percentile(gaps[gaps > 0], 10)) if (gaps > 0).any() else 1.0
    lasts = _lasts(chosen)
    if lasts >= 1.0:
        return 0.0, round(min(lasts, spacing, 4.0), 2)
    # stimuli in quick succession: responses overlap and are longer than the pause
    return 0.0, 0.8 if spacing < 0.5 else round(min(1.0, spacing), 2)


def _lasts(chosen: pd.DataFrame) -> float:
    """The usual duration of events in seconds; 0 where none is stated."""
    return float(np.nanmedian(chosen["duration"].astype(float))) if chosen["duration"].notna().any() else 0.0


def _repetition_time(summary: Summary) -> float:
    """Seconds between the volumes of fMRI, the longest where they differ; 0 for every other modality."""
    return 1 / min(summary.sfreqs) if summary.modalities[0] == "fmri" else 0.0


def _after(tr: float, length: float, delay: float = _DELAY) -> tuple[float, float]:
    """A stretch of whole volumes behind an event, as long as its response of the blood."""
    first, n_volumes = max(1, round(delay / tr)), max(1, round(length / tr))
    return round(first * tr, 4), round((first + n_volumes) * tr, 4)


def _tasks(summary: Summary) -> Iterator[Option]:
    tasks = {task: n for task, n in summary.tasks.items() if n >= max(1, 0.8 * len(summary.subjects))}
    if len(tasks) >= 2:
        target = (
            "recording.task"
            if len(tasks) == len(summary.tasks)
            else "recording.task=" + "|".join(glob.escape(t) for t in sorted(tasks))
        )
        why = ", ".join(f"{task} ({n} subjects)" for task, n in sorted(tasks.items()))
        yield _tiled(summary, target, why, column="task")


def _participants(summary: Summary) -> Iterator[Option]:
    if len(summary.subjects) < 2 * PEOPLE:
        return
    for name in map(str, summary.participants.columns):
        values = summary.participants[name].dropna()
        counts = {key: n for key, n in Counter(values.astype(str)).items() if key.lower() not in _NO_TYPE}
        if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values) and values.nunique() > 8:
            yield _tiled(summary, f"participants.{name}", f"{values.min():g} to {values.max():g}", people=True)
        elif 2 <= len(counts) <= 8 and min(counts.values()) >= PEOPLE:
            why = ", ".join(f"{key} {n}" for key, n in sorted(counts.items()))
            yield _tiled(summary, f"participants.{name}=*", why, column=name, people=True)


def _tiled(summary: Summary, target: str, why: str, column: str = "", people: bool = False) -> Option:
    """Windows of four seconds every two, or shorter ones where stretches are short."""
    shortest = min(float(np.max(r.segments[:, 1] - r.segments[:, 0])) for r in summary.recordings)
    tr = _repetition_time(summary)
    if tr:
        # what differs between people and states is how regions go together: a minute, or as many volumes as that takes
        length = round(max(1, int(min(shortest, max(60.0, _CONNECTOME * tr)) / tr)) * tr, 4)
        return Option(target, why, 0.0, length, stride=length, column=column, people=people)
    length = 4.0 if shortest >= 8 else max(0.2, float(f"{shortest / 2:.1g}"))
    return Option(target, why, 0.0, length, stride=length / 2, column=column, people=people)
