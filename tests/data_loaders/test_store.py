"""The store: what is written comes back, window by window, and damage is seen."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from data_loaders.contracts import Recording, Spikes, Stream
from data_loaders.store import Store
from data_loaders.writer import Writer


def recording(subject: str = "01", **changes: object) -> Recording:
    signal = np.random.default_rng(0).standard_normal((500, 3)) * 1e-5
    made = Recording(
        study="Test", subject=subject, modality="eeg", sfreq=100.0, ch_names=("Cz", "Pz", "Öz"), ch_types=("eeg",) * 3,
        units=("V",) * 3, duration=5.0, signal=signal, source=f"{subject}.edf",
        streams={"velocity": Stream(np.arange(20.0).reshape(10, 2), 2.0, 0.1, ("x", "y"), "m/s")},
        events=pd.DataFrame({"onset": [1.0, 2.0], "trial_type": ["left", "rechts ä"], "value": [1, 2], "good": [True, False]}),
        demographics={"age": 31, "sex": "F"}, decisions=("ECG left out",),
    )  # fmt: skip
    return replace(made, **changes)


def stored(path: Path, *recordings: Recording) -> Store:
    with Writer(path) as writer:
        for one in recordings:
            writer.write(one, key=one.source)
    return Store(path)


def test_columns_of_channels_come_back_with_their_numbers_and_texts(tmp_path: Path) -> None:
    columns = {"region": ("M1", "", "CA1"), "snr": (np.float64(2.5), np.nan, 1.0)}
    entry = stored(tmp_path, recording(ch_columns=columns)).entry(0)
    assert entry.ch_columns["region"] == ("M1", "", "CA1")
    np.testing.assert_array_equal(entry.ch_columns["snr"], [2.5, np.nan, 1.0])


def test_a_recording_comes_back_as_it_was_written(tmp_path: Path) -> None:
    made = recording()
    store = stored(tmp_path, made)
    entry = store.entry(0)
    assert np.array_equal(store.signal(0, 100, 150), made.signal[100:150].astype(np.float32))
    assert (entry.ch_names, entry.ch_types, entry.duration, entry.demographics) == (
        made.ch_names,
        made.ch_types,
        5.0,
        {"age": 31, "sex": "F"},
    )
    assert np.array_equal(store.stream(0, "velocity", 3, 5), made.streams["velocity"].values[3:5])
    assert entry.streams["velocity"].names == ("x", "y")
    assert store.events["trial_type"].tolist() == ["left", "rechts ä"]
    assert store.events["good"].tolist() == ["True", "False"]
    assert entry.decisions == ("ECG left out",)


def test_integers_of_the_source_are_kept_to_the_last_bit(tmp_path: Path) -> None:
    steps = np.random.default_rng(1).integers(-32768, 32767, (500, 3))
    gain, offset = np.array([1e-7, 2e-7, 3e-7]), np.array([0.0, 1e-6, -1e-6])
    store = stored(tmp_path, recording(signal=steps * gain + offset, gain=gain, offset=offset))
    assert store.entry(0).extents["signal"].dtype == "<i2"
    assert np.array_equal(np.round((store.signal(0, 0, 500) - offset) / gain), steps)


def test_a_gain_that_does_not_fit_keeps_floats(tmp_path: Path) -> None:
    gain, offset = np.full(3, 1e-5), np.zeros(3)
    store = stored(tmp_path, recording(gain=gain, offset=offset))
    assert store.entry(0).extents["signal"].dtype == "<f4"


def test_a_window_of_spikes_is_half_open(tmp_path: Path) -> None:
    spikes = Spikes(np.array([0.5, 1.0, 1.5, 2.0]), np.array([0, 1, 2, 0]))
    store = stored(tmp_path, recording(signal=None, spikes=spikes))
    assert store.spikes(0, 1.0, 2.0).times.tolist() == [1.0, 1.5]
    assert store.spikes(0, 1.0, 2.0).channels.tolist() == [1, 2]


def test_the_catalog_alone_says_where_every_byte_lies(tmp_path: Path) -> None:
    made = recording()
    row = stored(tmp_path, made).catalog.iloc[0]
    raw = np.frombuffer((tmp_path / row["file"]).read_bytes(), row["dtype"], int(np.prod(row["shape"])), row["offset"])
    assert np.array_equal(raw.reshape(row["shape"]), made.signal.astype(np.float32))


def test_a_second_writer_adds_and_the_first_is_remembered(tmp_path: Path) -> None:
    stored(tmp_path, recording("01"))
    with Writer(tmp_path) as writer:
        assert writer.done("01.edf")
        assert not writer.done("02.edf")
        writer.write(recording("02"), key="02.edf")
    assert Store(tmp_path).catalog["subject"].tolist() == ["01", "02"]


def test_two_sources_of_one_name_are_refused_by_name(tmp_path: Path) -> None:
    with Writer(tmp_path) as writer:
        writer.write(recording())
        with pytest.raises(ValueError, match=r"other\.edf and 01\.edf are both sub-01"):
            writer.write(recording(source="other.edf"))


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    store = stored(tmp_path, recording())
    file = tmp_path / store.entry(0).file
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(ValueError, match="run `brainfm prepare` again"):
        store.signal(0, 0, 10)


def test_a_folder_without_catalog_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="brainfm prepare SOURCE"):
        Store(tmp_path)


def test_arrays_make_a_store_of_trials(tmp_path: Path) -> None:
    X = np.random.default_rng(0).standard_normal((6, 2, 50))
    store = Store.from_arrays(tmp_path, X, ["a", "b"] * 3, sfreq=50.0, subjects=[1, 1, 1, 2, 2, 2])
    assert store.catalog["subject"].tolist() == ["1", "2"]
    assert np.allclose(store.signal(1, 50, 100), X[4].T, atol=1e-6)
    assert store.events["trial_type"].tolist() == ["a", "b"] * 3


def test_arrays_with_a_missing_label_or_nan_are_refused(tmp_path: Path) -> None:
    X = np.zeros((3, 2, 5))
    with pytest.raises(ValueError, match="3 trials but y has 2 labels"):
        Store.from_arrays(tmp_path, X, [0, 1], sfreq=5.0)
    X[1, 0, 0] = np.nan
    with pytest.raises(ValueError, match="first: trial 1"):
        Store.from_arrays(tmp_path, X, [0, 1, 0], sfreq=5.0)


def test_recordings_with_the_same_channels_share_them_in_memory_and_on_disk(tmp_path: Path) -> None:
    store = stored(tmp_path, *(recording(f"{subject:02d}") for subject in range(20)))
    assert store.entry(0).ch_names is store.entry(19).ch_names
    assert np.shares_memory(store.entry(3).ch_positions, store.entry(7).ch_positions)
    table = pq.ParquetFile(tmp_path / "catalog.parquet", read_dictionary=["ch_names"]).read()
    assert len(table["ch_names"].chunk(0).dictionary) == 1


def test_a_catalog_of_another_version_asks_to_be_made_anew_and_prepare_does_so(tmp_path: Path) -> None:
    store = stored(tmp_path, recording())
    store.catalog.to_parquet(tmp_path / "catalog.parquet")
    with pytest.raises(ValueError, match="another version of brainfm: run `brainfm prepare` again"):
        Store(tmp_path)
    Writer(tmp_path).flush()
    assert Store(tmp_path).entry(0).decisions == ("ECG left out",)


def test_columns_of_the_catalog_agree_with_its_entries(tmp_path: Path) -> None:
    segments = np.array([[0.0, 2.0], [3.0, 5.0]])
    gain, offset = np.full(3, 1e-5), np.full(3, 2e-5)
    signal = np.arange(1500).reshape(500, 3) * 1e-5 + 2e-5
    whole = recording("02", signal=signal, gain=gain, offset=offset, bads=("Pz",), segments=segments)
    store = stored(tmp_path, recording("01"), whole)
    of, stretches = store.segments
    assert of.tolist() == [0, 1, 1]
    assert np.array_equal(stretches[1:], segments)
    assert np.array_equal(store.entry(1).segments, segments)
    assert store.column("key") == ["01.edf", "02.edf"] == [store.entry(i).key for i in (0, 1)]
    assert store.column("bads") == [(), ("Pz",)]
    assert store.entry(0).gain is None
    assert np.array_equal(store.entry(1).offset, offset)
    assert np.isnan(store.entry(0).ch_positions).all()


def test_entries_read_from_the_catalog_equal_those_of_the_files(tmp_path: Path) -> None:
    with Writer(tmp_path) as writer:
        written = writer.write(recording(), key="k", history=[{"transform": "Filter"}])
    entry = Store(tmp_path).entry(-1)
    for name, value in vars(written).items():
        assert np.array_equal(getattr(entry, name), value, equal_nan=name == "ch_positions"), name


def test_events_of_one_recording_are_its_own(tmp_path: Path) -> None:
    store = stored(tmp_path, recording("01"), recording("02", events=None), recording("03"))
    assert [len(store.events_of(i)) for i in range(3)] == [2, 0, 2]
    assert store.events_of(2)["trial_type"].tolist() == ["left", "rechts ä"]


def test_reading_past_the_end_gives_what_there_is(tmp_path: Path) -> None:
    store = stored(tmp_path, recording())
    assert store.signal(0, 490, 600).shape == (10, 3)
    assert store.signal(0, 600, 700).shape == (0, 3)
