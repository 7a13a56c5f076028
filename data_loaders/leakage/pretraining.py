"""Leaks through pretraining: what a checkpoint remembers of its training part, held against a test part."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

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
    seen = stretches(windows)
    about = store.catalog.iloc[list(seen)]
    people = zip(about["study"], about["subject"], strict=True)
    keys = store.column("key")
    words = {word for r, sha256 in zip(seen, about["sha256"], strict=True) for word in (sha256, *keys[r].split())}
    return {
        "subjects": sorted({_person(*names) for names in people}),
        "sha256": sorted(word for word in words if len(word) == _SHA256),
        "stretches": {k: of.tolist() for k, of in zip(about["sha256"], seen.values(), strict=True)},
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
    flags, held, keys = [], stretches(fold.test), store.column("key")
    begins = np.cumsum(fold.test.count) - fold.test.count
    about = store.catalog[["study", "subject", "sha256"]].iloc[list(held)].itertuples(index=False, name=None)
    for first, recording, (study, subject, sha256) in zip(_first_runs(fold.test), held, about, strict=True):
        # a derived store's key holds the checksum of the recording that it was made from
        known = contents & {sha256, *keys[recording].split()}
        person = _person(study, subject)
        if not known and person not in subjects:
            continue
        window = name(fold.test, int(begins[first]))
        if known and not _elsewhere(trained, sha256, held[recording], split.gap):
            raise LeakageError(
                f"the checkpoint was trained on the recording of test window {window}: choose one that was not, or test on others"
            )
        if person in subjects:
            message = f"the checkpoint was trained on subject {person}, who is in test window {window}"
            if split.key == "subject":
                raise LeakageError(
                    f"{message}, and the split is by subject: choose a checkpoint that was not, or test on others"
                )
            flags.append(Flag("pretraining", message))
    for flag in flags:
        print(f"leakage: {flag.message}")
    return flags


def _elsewhere(trained: Mapping[str, Any], sha256: str, held: Float[ndarray, "stretch 2"], gap: float) -> bool:
    """Whether the checkpoint knows only stretches of this recording that keep the split's gap from its test windows."""
    known = trained.get("stretches", {}).get(sha256)
    if known is None or gap <= 0:
        return False
    learned = np.asarray(known, float)
    apart = (learned[:, None, 1] + gap <= held[None, :, 0] + 1e-6) | (
        held[None, :, 1] + gap <= learned[:, None, 0] + 1e-6
    )
    return bool(apart.all())


def _first_runs(windows: Windows) -> Int[ndarray, "recording"]:
    """For each recording, the first of its runs."""
    return np.unique(windows.recording, return_index=True)[1]


def _person(study: str, subject: str) -> str:
    # in joined stores the subject's name says the study already
    return f"{study}/" + subject.removeprefix(f"{study}/")
