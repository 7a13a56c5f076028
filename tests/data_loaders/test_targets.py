"""Targets: one grammar over events, participants, recordings and streams."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data_loaders.contracts import Recording, Stream
from data_loaders.store import Store
from data_loaders.targets import resolve
from data_loaders.windows import Around, Windows
from data_loaders.writer import Writer


@pytest.fixture
def store(tmp_path: Path) -> Store:
    events = pd.DataFrame(
        {
            "onset": [1.0, 2.0, 3.0, 4.0],
            "trial_type": ["left/a", "right/a", "left/b", "rest"],
            "load": [1.0, 2.0, 10.0, np.nan],
        }
    )
    one = Recording(
        study="T", subject="01", modality="eeg", task="nback", sfreq=100.0, ch_names=("Cz",), ch_types=("eeg",), units=("V",),
        duration=10.0, signal=np.zeros((1000, 1)), events=events, demographics={"age": 30, "group": "control"},
        streams={"velocity": Stream(np.stack([np.arange(100.0), -np.arange(100.0)], 1), 10.0, 0.0, ("x", "y"))},
    )  # fmt: skip
    with Writer(tmp_path) as writer:
        writer.write(one)
        writer.write(replace(one, subject="02", demographics={"age": 40, "group": "patient"}))
    return Store(tmp_path)


def windows_of(store: Store) -> Windows:
    return Around().cut(store, (0.0, 0.5))


def read(text: str, store: Store) -> tuple[object, list]:
    target, windows = resolve(text, windows_of(store), store)
    return target, target.read(windows, np.arange(len(windows))).tolist()


def test_text_makes_classes_in_natural_order(store: Store) -> None:
    target, values = read("trial_type", store)
    assert target.classes == ("left/a", "left/b", "rest", "right/a")
    assert values == [0, 3, 1, 2] * 2


def test_a_pattern_makes_a_class_and_the_rest_is_unknown(store: Store) -> None:
    target, values = read("trial_type=left*|right*", store)
    assert target.classes == ("left*", "right*")
    assert values == [0, 1, 0, -1] * 2
    assert target.known(windows_of(store)).tolist() == [True, True, True, False] * 2


def test_numbers_make_values_and_a_star_makes_classes_of_them(store: Store) -> None:
    target, _ = resolve("load", windows_of(store), store)
    assert target.classes == ()
    assert target.known(windows_of(store)).tolist() == [True, True, True, False] * 2
    target, values = read("load=*", store)
    assert target.classes == ("1", "2", "10")
    assert values == [0, 1, 2, -1] * 2


def test_participants_and_recordings_are_found_by_name(store: Store) -> None:
    assert read("age", store)[1] == [[30.0]] * 4 + [[40.0]] * 4
    assert read("participants.group", store)[1] == [0] * 4 + [1] * 4
    assert read("subject", store)[0].classes == ("01", "02")


def test_a_stream_is_read_at_the_anchor(store: Store) -> None:
    target, values = read("velocity", store)
    assert target.names == ("x", "y")
    assert values == [[10.0, -10.0], [20.0, -20.0], [30.0, -30.0], [40.0, -40.0]] * 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("trial_typ", "did you mean 'trial_type'"),
        ("events.lod", "did you mean 'events.load'"),
        ("task", "has one class"),
        ("trial_type=left*|up*", "no window's value matches 'up"),
    ],
)
def test_a_wrong_target_names_the_repair(store: Store, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read(text, store)


def test_a_name_in_two_tables_must_be_qualified(store: Store) -> None:
    windows = windows_of(store)
    both = replace(windows, metadata=windows.metadata.assign(age=1.0))
    with pytest.raises(ValueError, match=r"write events\.age or participants\.age"):
        resolve("age", both, store)
