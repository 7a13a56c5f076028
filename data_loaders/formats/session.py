"""What sessions of cells share, spiking or glowing: behaviour on its own clock, trials, and where all of it is valid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float
from numpy import ndarray

from data_loaders.contracts import Stream
from data_loaders.formats.clocks import Series, overlap, to_stream
from data_loaders.formats.events import inside, tidy


def streams_of(
    series: Mapping[str, Series], source: str, told: list[str]
) -> tuple[dict[str, Stream], list[Float[ndarray, "piece 2"]]]:
    """Every series on a regular clock, and the pieces in which each has values."""
    streams: dict[str, Stream] = {}
    pieces = []
    for name, one in series.items():
        streams[name], piece, decisions = to_stream(name, one, source)
        pieces.append(piece)
        told.extend(decisions)
    return streams, pieces


def checked_segments(
    segments: ndarray | None, duration: float, source: str, told: list[str]
) -> Float[ndarray, "segment 2"]:
    """The stated segments in order and within the recording; all of it where none are stated.

    Raises ValueError where one has no length, is not finite, or overlaps another.
    """
    if segments is None:
        return np.array([[0.0, duration]])
    stated = np.asarray(segments, dtype=float).reshape(-1, 2)
    wrong = np.flatnonzero(~(stated[:, 1] > stated[:, 0]) | ~np.isfinite(stated).all(axis=1))
    if len(wrong):
        start, stop = stated[wrong[0]]
        raise ValueError(
            f"{source}: segment {wrong[0]} runs from {start:g} to {stop:g} s: each must end after it starts"
        )
    stated = stated[np.argsort(stated[:, 0], kind="stable")]
    twice = np.flatnonzero(stated[1:, 0] < stated[:-1, 1] - 1e-9)
    if len(twice):
        first, second = stated[twice[0]], stated[twice[0] + 1]
        raise ValueError(f"{source}: the segments {first[0]:g}-{first[1]:g} s and {second[0]:g}-{second[1]:g} s overlap: "
                         f"no window may cross a border, so each second belongs to one of them; cut the earlier one shorter")  # fmt: skip
    clipped = overlap(stated, np.array([[0.0, duration]]))
    if len(clipped) < len(stated) or np.sum(stated[:, 1] - stated[:, 0]) > np.sum(clipped[:, 1] - clipped[:, 0]) + 1e-3:
        told.append(f"segments reach beyond the recording of {duration:g} s and are cut there")
    return clipped


def common(stated: Float[ndarray, "segment 2"], pieces: Sequence[ndarray], told: list[str]) -> Float[ndarray, "left 2"]:
    """The stretches of the segments in which every stream is valid too."""
    left = stated
    for piece in pieces:
        left = overlap(left, piece)
    lost = float(np.sum(stated[:, 1] - stated[:, 0]) - np.sum(left[:, 1] - left[:, 0]))
    if lost > 0.05 or len(left) > len(stated):
        told.append(f"windows are taken where every stream has values: {lost:.2f} s left out, {len(left)} segments")
    return left


def within(events: pd.DataFrame | None, duration: float, sfreq: float, told: list[str]) -> pd.DataFrame | None:
    """The events of the recording in order of their onsets; those outside it are dropped, and that is told."""
    if events is None or events.empty:
        return None
    events, notes = inside(events.sort_values("onset", kind="stable"), duration, sfreq)
    told.extend(notes)
    return tidy(events)
