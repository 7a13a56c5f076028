"""Windows: arithmetic on runs equals a list of windows."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_loaders.contracts import Recording
from data_loaders.ids import decode_id
from data_loaders.store import Store
from data_loaders.windows import Around, Tile, Whole, Windows, concatenate
from data_loaders.writer import Writer


def store_of(path: Path, segments: list[tuple[float, float]], onsets: list[float] = ()) -> Store:
    events = pd.DataFrame({"onset": list(onsets), "trial_type": ["left/go", "right/go"] * (len(onsets) // 2)})
    made = Recording(
        study="T", subject="01", modality="eeg", sfreq=100.0, ch_names=("Cz",), ch_types=("eeg",), units=("V",), duration=10.0,
        signal=np.zeros((1000, 1)), segments=np.array(segments), events=events,
    )  # fmt: skip
    with Writer(path) as writer:
        writer.write(made)
    return Store(path)


def runs(first: list[int], stride: list[int], count: list[int]) -> Windows:
    rows = pd.DataFrame({"run": range(len(first))})
    return Windows(np.arange(len(first)), np.array(first), np.array(stride), np.array(count), rows, (0.0, 1.0))


def listed(windows: Windows) -> list[tuple[int, int]]:
    pairs = zip(windows.recording, windows.first, windows.stride, windows.count, strict=True)
    return [(int(r), int(f + s * k)) for r, f, s, n in pairs for k in range(n)]


@given(
    table=st.lists(st.tuples(st.integers(0, 50), st.integers(1, 9), st.integers(1, 20)), min_size=1, max_size=5),
    low=st.integers(0, 80),
    width=st.integers(0, 80),
)
def test_cutting_runs_equals_filtering_a_list(table: list[tuple[int, int, int]], low: int, width: int) -> None:
    windows = runs(*map(list, zip(*table, strict=True)))
    assert listed(windows) == list(zip(*(a.tolist() for a in decode_id(windows.ids())), strict=True))
    borders = np.full(len(table), low), np.full(len(table), low + width)
    assert listed(windows.between(*borders)) == [w for w in listed(windows) if low <= w[1] < low + width]


def test_segments_that_are_too_short_for_the_fields_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = store_of(tmp_path, [(0.0, 2.2), (3.0, 4.5), (9.5, 10.0)])
    assert len(Tile(stride=1.0).cut(store, (-1.0, 0.5))) == 2
    said = capsys.readouterr().out
    assert "windows: 1 of 3 segments have no room for a window of [-1, 0.5) s and are left out: sub-01" in said
    Tile(stride=1.0).cut(store, (0.0, 0.5))
    assert capsys.readouterr().out == ""
    with pytest.raises(ValueError, match="no segment is long enough: shorten the fields"):
        Tile(stride=1.0).cut(store, (-8.0, 0.5))


def test_a_tile_never_crosses_a_border(tmp_path: Path) -> None:
    windows = Tile(stride=0.5).cut(store_of(tmp_path, [(0.0, 2.2), (3.0, 4.5), (9.5, 10.0)]), (-0.5, 0.5))
    assert decode_id(windows.ids())[1].tolist() == [50, 100, 150, 350, 400]


def test_an_event_near_a_border_is_left_out_and_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    windows = Around().cut(store_of(tmp_path, [(0.0, 5.0)], [0.1, 2.0, 4.0, 4.8]), (-0.2, 0.5))
    assert decode_id(windows.ids())[1].tolist() == [200, 400]
    assert "2 of 4 events" in capsys.readouterr().out


def test_a_pattern_chooses_events_and_a_wrong_one_lists_the_types(tmp_path: Path) -> None:
    store = store_of(tmp_path, [(0.0, 10.0)], [1.0, 2.0, 3.0, 4.0])
    assert len(Around("left/*").cut(store, (0.0, 1.0))) == 2
    with pytest.raises(ValueError, match="left/go"):
        Around("up").cut(store, (0.0, 1.0))


def test_whole_gives_one_window_per_segment(tmp_path: Path) -> None:
    windows = Whole().cut(store_of(tmp_path, [(0.0, 2.2), (3.0, 4.5)]), (0.0, float("inf")))
    assert decode_id(windows.ids())[1].tolist() == [0, 300]
    assert windows.extent == (0.0, 2.2)


def test_tiling_a_billion_windows_takes_no_memory() -> None:
    windows = runs([0], [1], [10**9])
    assert windows.ids(np.array([10**9 - 1])).tolist() == [10**9 - 1]


def test_taking_and_joining_keep_ids() -> None:
    windows = runs([0, 7], [2, 3], [4, 5])
    parts = [windows.take(np.array([0, 5])), windows.take(np.array([8]))]
    assert np.array_equal(concatenate(parts).ids(), windows.ids(np.array([0, 5, 8])))


def test_tiles_lie_within_the_events_that_are_asked_for_and_carry_their_columns(tmp_path: Path) -> None:
    events = pd.DataFrame({"onset": [0.0, 4.0], "duration": [2.0, 6.0], "trial_type": ["rest", "task"]})
    made = Recording(
        study="T", subject="01", modality="eeg", sfreq=100.0, ch_names=("Cz",), ch_types=("eeg",), units=("V",), duration=10.0,
        signal=np.zeros((1000, 1)), segments=np.array([[0.0, 5.0], [7.0, 10.0]]), events=events,
    )  # fmt: skip
    with Writer(tmp_path) as writer:
        writer.write(made)
    windows = Tile(1.0, trial_type="rest|task").cut(Store(tmp_path), (0.0, 1.0))
    assert decode_id(windows.ids())[1].tolist() == [0, 100, 400, 700, 800, 900]
    assert windows.column("trial_type").tolist() == ["rest", "rest", "task", "task", "task", "task"]
