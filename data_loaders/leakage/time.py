"""Leaks through time: windows that overlap or are too near, filters that look across, statistics of test windows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from jaxtyping import Int
from numpy import ndarray

from data_loaders.ids import decode_id
from data_loaders.intervals import sfreqs, too_near
from data_loaders.leakage.base import Flag, LeakageError, Pair, name, originals
from data_loaders.splits.base import Fold
from data_loaders.store import Store
from data_loaders.transforms.base import Transform
from data_loaders.windows import Windows


def check_overlap(pair: Pair, store: Store) -> None:
    """Refuses windows that share samples, also through recordings of equal content."""
    found = too_near(pair.a, pair.b, 0.0, originals(store, pair.a.recording), originals(store, pair.b.recording))
    if found:
        raise LeakageError(f"{pair.say(*found)} overlap: split with TimeBlock, by recording, or with a gap")


def check_neighbours(pair: Pair, gap: float, store: Store) -> None:
    """Refuses windows nearer than the split's gap and, without a gap, those of one segment that touch.

    Tiled windows, which nothing but their place sets apart, then need a window's length between them.
    """
    if gap > 0:
        found = too_near(pair.a, pair.b, gap, originals(store, pair.a.recording), originals(store, pair.b.recording))
        if found:
            raise LeakageError(
                f"{pair.say(*found)} are less than the split's gap of {gap:g} s apart: make folds with the split itself"
            )
        return
    start, stop = pair.a.extent
    tiled = "onset" not in pair.a.metadata.columns
    touching = 1.0 / max(sfreqs(pair.a).max(), sfreqs(pair.b).max())
    found = too_near(pair.a, pair.b, stop - start if tiled else touching, *_segments(pair, store))
    if found:
        raise LeakageError(
            f"{pair.say(*found)} are neighbours without a gap: set the split's gap to 1 s or more, or use TimeBlock"
        )


def reaching_filters(pair: Pair, transforms: Sequence[Transform], gap: float, store: Store) -> Iterator[Flag]:
    """Flags filters that ran over whole segments and carry test samples into training windows, or back."""
    reach = max(_reach(transforms), _reached(store, pair.b.recording))
    if reach <= 0:
        return
    found = too_near(pair.a, pair.b, reach, *_segments(pair, store))
    if found:
        yield Flag(
            "filter",
            f"a filter that looks ahead mixes samples up to {reach:.2f} s apart, and {pair.say(*found)} are nearer: "
            f"raise the split's gap from {gap:g} to {reach:.2g} s, or filter with causal: true or continuous: false",
        )


def check_fitted(fold: Fold, transforms: Sequence[Transform], store: Store) -> None:
    """Refuses a transform whose statistics were taken from windows that overlap test or validation."""
    for transform in transforms:
        ids = transform.state().get("fitted_on", np.zeros(0, np.int64))
        seen = _windows(ids[ids >= 0], fold.test, store)
        for part in ("test", "val"):
            held_out = getattr(fold, part)
            places = originals(store, seen.recording), originals(store, held_out.recording)
            found = too_near(seen, held_out, 0.0, *places) if len(seen) and len(held_out) else None
            if found:
                raise LeakageError(
                    f"{type(transform).__name__} was fitted on {name(seen, found[0])}, which overlaps {part} window "
                    f"{name(held_out, found[1])}: fit it on the training part of this fold"
                )


def _windows(ids: Int[ndarray, "window"], like: Windows, store: Store) -> Windows:
    """The windows with these ids, one by one."""
    recording, anchor = decode_id(ids)
    about = store.catalog.iloc[recording]
    rows = {"recording_name": about["name"].to_numpy(), "sfreq": about["sfreq"].to_numpy()}
    ones = np.ones(len(ids), dtype=np.int64)
    return Windows(recording, anchor, ones, ones, pd.DataFrame(rows), like.extent)


def _segments(pair: Pair, store: Store) -> tuple[Int[ndarray, "run_a"], Int[ndarray, "run_b"]]:
    """A number for the segment in which each run lies, the same for the same segment: nothing crosses its borders."""
    where = [
        np.stack([originals(store, part.recording), part.metadata["segment"].to_numpy(dtype=np.int64)], axis=1)
        for part in (pair.a, pair.b)
    ]
    place = np.unique(np.concatenate(where), axis=0, return_inverse=True)[1].reshape(-1)
    return place[: len(where[0])], place[len(where[0]) :]


def _reach(transforms: Sequence[Transform]) -> float:
    """Seconds over which the continuous part of the chain looks ahead."""
    return sum((t.reach for t in transforms if t.continuous and not t.causal), 0.0)


def _reached(store: Store, recording: Int[ndarray, "run"]) -> float:
    """The same for what already ran over any of these recordings."""
    of = store.column("history")
    histories = {id(of[r]): of[r] for r in np.unique(recording).tolist()}.values()
    return max(sum((float(past.get("reach", 0)) for past in h if not past.get("causal", True)), 0.0) for h in histories)
