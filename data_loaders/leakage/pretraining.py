"""Leaks through pretraining: what a checkpoint remembers of its training part, held against a test part."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from data_loaders.catalog import Entry
from data_loaders.intervals import stretches
from data_loaders.leakage.base import Flag, LeakageError, name
from data_loaders.splits.base import Fold, Split
from data_loaders.store import Store
from data_loaders.windows import Windows

_SHA256 = 64  # hexadecimal digits


def trained_on(windows: Windows, store: Store) -> dict[str, Any]:
    """What a checkpoint's manifest remembers of its training part.

    `subjects` as study/subject, `sha256` of contents, and `stretches`, the seconds that its windows cover, by content.
    """
    recordings = np.unique(windows.recording)
    entries = [store.entry(int(r)) for r in recordings]
    seen = {
        entry.sha256: stretches(windows.runs(windows.recording == r)).tolist()
        for r, entry in zip(recordings, entries, strict=True)
    }
    return {
        "subjects": sorted({_person(entry.entities) for entry in entries}),
        "sha256": sorted(
            {word for entry in entries for word in (entry.sha256, *entry.key.split()) if len(word) == _SHA256}
        ),
        "stretches": seen,
    }


def also_trained_on(trained: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """What a checkpoint remembers that itself began from another one: what either was trained on.

    A content of which one of the two does not know the stretches counts as seen whole.
    """
    one, other = (part.get("stretches", {}) for part in (trained, before))
    whole = {k for part, of in ((trained, one), (before, other)) for k in part["sha256"] if k not in of}
    both = {k: sorted([*one.get(k, []), *other.get(k, [])]) for k in {*one, *other} - whole}
    return {k: sorted({*trained[k], *before[k]}) for k in ("subjects", "sha256")} | {"stretches": both}


def check_pretrained(trained: Mapping[str, Any], fold: Fold, split: Split, store: Store) -> list[Flag]:
    """Holds what `trained_on` remembered of a checkpoint against the test part of a fold.

    Raises LeakageError where a recording is the same or, in a split by subject, a person; flags a shared person otherwise.
    In a split with a gap the checkpoint may know other stretches of a test recording, where the gap lies between.
    """
    subjects, contents = set(trained["subjects"]), set(trained["sha256"])
    flags = []
    for run, recording in zip(*_first_runs(fold.test), strict=True):
        entry = store.entry(int(recording))
        window = name(fold.test, int((np.cumsum(fold.test.count) - fold.test.count)[run]))
        # a derived store's key holds the checksum of the recording that it was made from
        known = contents & {entry.sha256, *entry.key.split()}
        if known and not _elsewhere(trained, entry, fold.test.runs(fold.test.recording == recording), split.gap):
            raise LeakageError(
                f"the checkpoint was trained on the recording of test window {window}: choose one that was not, or test on others"
            )
        if _person(entry.entities) in subjects:
            message = f"the checkpoint was trained on subject {_person(entry.entities)}, who is in test window {window}"
            if split.key == "subject":
                raise LeakageError(
                    f"{message}, and the split is by subject: choose a checkpoint that was not, or test on others"
                )
            flags.append(Flag("pretraining", message))
    for flag in flags:
        print(f"leakage: {flag.message}")
    return flags


def _elsewhere(trained: Mapping[str, Any], entry: Entry, tested: Windows, gap: float) -> bool:
    """Whether the checkpoint knows only stretches of this recording that keep the split's gap from its test windows."""
    known = trained.get("stretches", {}).get(entry.sha256)
    if known is None or gap <= 0:
        return False
    learned, held = np.asarray(known, float), stretches(tested)
    apart = (learned[:, None, 1] + gap <= held[None, :, 0] + 1e-6) | (
        held[None, :, 1] + gap <= learned[:, None, 0] + 1e-6
    )
    return bool(apart.all())


def _first_runs(windows: Windows) -> tuple[np.ndarray, np.ndarray]:
    """For each recording, the first of its runs."""
    recordings, first = np.unique(windows.recording, return_index=True)
    return first, recordings


def _person(entities: Mapping[str, str]) -> str:
    # in joined stores the subject's name says the study already
    study = f"{entities['study']}/"
    return study + entities["subject"].removeprefix(study)
