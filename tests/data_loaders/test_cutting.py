"""Windows of a whole store, cut as columns, are those of going from recording to recording and from event to event."""

import re
from collections.abc import Iterator
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from data_loaders.store import Store
from data_loaders.windows import Around, Rule, Tile, Whole
from tests.data_loaders.planned import header, planned

Cut = tuple[int, list[int], dict[str, Any]]  # a recording, the anchors of a run of windows in it, its row

hundredths = st.integers(0, 400).map(lambda n: n / 100)
# lengths of segments, and what lies between: below zero they overlap
segments = st.lists(st.tuples(st.integers(-300, 200), st.integers(10, 500)), min_size=1, max_size=4)
recordings = st.lists(st.tuples(st.sampled_from([100.0, 99.99, 128.0, 1 / 2.2]), segments), min_size=1, max_size=4)
events = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.integers(-100, 1100).map(lambda n: n / 100),
        st.sampled_from([0.0, 0.5, 3.0, 20.0]),
        st.sampled_from(["rest", "task/a"]),
        st.sampled_from(["", "a.wav", "b.wav"]),
    ),
    max_size=12,
)
extents = st.sampled_from([(0.0, 0.5), (-0.2, 0.3), (0.0, 2.0), (1.0, 1.5), (-0.5, 0.0), (0.0, 0.001)])
trims = st.sampled_from([(0.0, 0.0), (0.25, 0.4)])


def borders(steps: list[tuple[int, int]], apart: bool) -> list[tuple[float, float]]:
    """Segments, with `apart` in order and none over another."""
    at, found = 0, []
    for gap, length in steps:
        start = max(0, at + (abs(gap) if apart else gap))
        found.append((start / 100, (start + length) / 100))
        at = start + length
    return found


def store_of(path: str, made: list, happened: list, apart: bool = False) -> Store:
    told = pd.DataFrame(
        [event for event in sorted(happened, key=lambda event: event[0]) if event[0] < len(made)],
        columns=["recording", "onset", "duration", "trial_type", "stim_file"],
    )
    told = told.astype({"recording": int, "onset": float, "duration": float, "trial_type": str, "stim_file": str})
    return planned(Path(path), [header(i, sfreq, borders(steps, apart)) for i, (sfreq, steps) in enumerate(made)], told)


def tiled(low: int, high: int, sfreq: float, stride: float, extent: tuple[float, float]) -> list[int]:
    """Anchors whose windows lie in [low, high), the first of which begins there."""
    first, last = low - round(extent[0] * sfreq), high - round(extent[1] * sfreq)
    return list(range(first, last + 1, max(1, round(stride * sfreq))))


def described(store: Store) -> Iterator[tuple[int, float, list[tuple[int, int, dict[str, Any]]], pd.DataFrame]]:
    """Each recording: its rate, its segments in samples with their rows, and its events."""
    for recording in range(len(store)):
        entry = store.entry(recording)
        found = [
            (round(a * entry.sfreq), round(b * entry.sfreq), {**entry.entities, "segment": k, "sfreq": entry.sfreq})
            for k, (a, b) in enumerate(entry.segments.tolist())
        ]
        yield recording, entry.sfreq, found, store.events_of(recording)


def tiles(store: Store, stride: float, trim: tuple[float, float], extent: tuple[float, float]) -> Iterator[Cut]:
    any_named = (store.events["stim_file"] != "").any()
    for recording, sfreq, parts, happened in described(store):
        named = happened[happened["stim_file"] != ""]
        for (low, high, row), (start, stop) in zip(parts, store.entry(recording).segments.tolist(), strict=True):
            begun = named["onset"] <= start + 1e-6
            over = named[begun & (named["onset"] + named["duration"] >= stop - 1e-6)]
            one = over.iloc[0] if len(over) == 1 else {"stim_file": "" if len(named) else np.nan, "onset": np.nan}
            played = {"stimulus": one["stim_file"], "stimulus_onset": one["onset"]} if any_named else {}
            inner = low + round(trim[0] * sfreq), high - round(trim[1] * sfreq)
            yield recording, tiled(*inner, sfreq, stride, extent), row | played


def tiles_of_events(store: Store, kind: str, stride: float, extent: tuple[float, float]) -> Iterator[Cut]:
    for recording, sfreq, parts, happened in described(store):
        for event in happened[happened["trial_type"] == kind].to_dict("records"):
            start = round(event["onset"] * sfreq)
            stop = start + round(event["duration"] * sfreq)
            for low, high, row in parts:
                if start < high and stop > low:
                    inside = tiled(max(start, low), min(stop, high), sfreq, stride, extent)
                    yield recording, inside, {**event, **row}


def anchored(store: Store, extent: tuple[float, float]) -> Iterator[Cut]:
    for recording, sfreq, parts, happened in described(store):
        for event in happened.to_dict("records"):
            at = round(event["onset"] * sfreq)
            begin, end = at + round(extent[0] * sfreq), at + round(extent[1] * sfreq)
            begun = [part for part in parts if part[0] <= at]
            fits = begun and begun[-1][0] <= begin and end <= begun[-1][1]
            yield recording, [at] if fits else [], {**event, **(begun or parts)[-1][2]}


def assert_equal(rule: Rule, store: Store, extent: tuple[float, float], wanted: list[Cut]) -> None:
    # the types of columns are those of all that might have been cut
    rows = pd.DataFrame([row for _, _, row in wanted])
    fits = [bool(cut[1]) for cut in wanted]
    if not any(fits):
        with pytest.raises(ValueError, match="no window of"):
            rule.cut(store, extent)
        return
    said = StringIO()
    with redirect_stdout(said):
        windows = rule.cut(store, extent)
    short = [(str(fits.count(False)), str(len(fits)))] if not all(fits) else []
    assert re.findall(r"(\d+) of (\d+)", said.getvalue()) == short
    columns = (windows.recording, windows.first, windows.stride, windows.count)
    assert {column.dtype for column in columns} == {np.dtype(np.int64)}
    runs = [(int(r), [int(f + s * k) for k in range(n)]) for r, f, s, n in zip(*columns, strict=True)]
    assert runs == [cut[:2] for cut in wanted if cut[1]]
    pd.testing.assert_frame_equal(windows.metadata, rows[fits].reset_index(drop=True), check_exact=True)


@given(made=recordings, happened=events, extent=extents, stride=hundredths, trim=trims)
def test_tiles_of_segments(made: list, happened: list, extent: Any, stride: float, trim: Any) -> None:
    with TemporaryDirectory() as path:
        store = store_of(path, made, happened)
        wanted = list(tiles(store, stride + 0.01, trim, extent))
        assert_equal(Tile(stride + 0.01, trim=trim), store, extent, wanted)


# one segment within another, and two in the wrong order: an event meets the first and not the second
@example(made=[(100.0, [(0, 900), (-800, 100)])], happened=[(0, 5.0, 3.0, "rest", "")], extent=(0.0, 0.5), stride=0.5)
@example(made=[(100.0, [(500, 100), (-600, 100)])], happened=[], extent=(0.0, 0.5), stride=0.5)
@given(made=recordings, happened=events, extent=extents, stride=hundredths)
def test_tiles_of_events(made: list, happened: list, extent: Any, stride: float) -> None:
    with TemporaryDirectory() as path:
        store = store_of(path, made, [*happened, (0, 0.0, 0.5, "rest", "")])
        wanted = list(tiles_of_events(store, "rest", stride + 0.01, extent))
        assert_equal(Tile(stride + 0.01, trial_type="rest"), store, extent, wanted)


@given(made=recordings, happened=events, extent=extents)
def test_windows_around_events(made: list, happened: list, extent: Any) -> None:
    with TemporaryDirectory() as path:
        store = store_of(path, made, [*happened, (0, 0.0, 0.5, "rest", "")], apart=True)
        assert_equal(Around(), store, extent, list(anchored(store, extent)))


@given(made=recordings)
def test_whole_segments(made: list) -> None:
    with TemporaryDirectory() as path:
        store = store_of(path, made, [])
        wanted = [(recording, [low], row) for recording, _, parts, _ in described(store) for low, _, row in parts]
        assert_equal(Whole(), store, (0.0, float("inf")), wanted)
        longest = max(float(stop - start) for i in range(len(store)) for start, stop in store.entry(i).segments)
        assert Whole().cut(store, (0.0, float("inf"))).extent == (0.0, longest)
