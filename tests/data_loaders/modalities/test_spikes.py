"""Sorted spikes with behaviour: what the reader keeps, what it decides, and what it refuses."""

from pathlib import Path

import h5py
import numpy as np
import pytest
import yaml
from scipy.io import savemat

from data_loaders.formats.clocks import Series, to_stream
from data_loaders.modalities.spikes import Spikes
from tests.data_loaders.modalities.sorted_spikes import read


def written(folder: Path, arrays: dict, stated: dict | None = None, name: str = "one.npz") -> Path:
    """Spikes of three units over ten seconds, with what the test changes."""
    rng = np.random.default_rng(0)
    base = {
        "spike_times": np.sort(rng.uniform(0, 10, 300)),
        "spike_units": rng.integers(0, 3, 300),
        "vel": rng.normal(size=(1000, 2)),
    }
    path = folder / name
    (savemat if name.endswith(".mat") else lambda path, arrays: np.savez(path, **arrays))(path, base | arrays)
    spikes = {"streams": {"vel": {"sfreq": 100}}} | (stated or {})
    path.with_suffix(".yaml").write_text(yaml.safe_dump({"modality": "spikes", "subject": "m", "spikes": spikes}))
    return path


def test_real_reaching_session_keeps_every_spike_and_sample(shared_data):
    path = shared_data("perich_miller_reaching") / "c_20131022_center_out_reaching.h5"
    recording = read(path)
    with h5py.File(path) as file:
        assert recording.spikes is not None
        assert np.array_equal(recording.spikes.times, file["spikes/timestamps"])
        assert np.array_equal(recording.spikes.channels, file["spikes/unit_index"])
        assert np.array_equal(recording.streams["cursor_vel"].values, file["cursor/vel"][()].astype(np.float32))
        assert recording.ch_names == tuple(file["units/id"].asstr())
    assert (recording.streams["cursor_vel"].sfreq, recording.streams["cursor_vel"].start) == (100.0, 0.02)
    assert recording.demographics == {"genotype": "unknown", "sex": "MALE", "species": "MACACA_MULATTA"}


def test_real_trials_are_events_with_all_their_columns(shared_data):
    events = read(shared_data("perich_miller_reaching") / "c_20131022_center_out_reaching.h5").events
    trials = events[events["trial_type"].str.startswith("trials/")]
    assert len(trials) == 182
    assert trials["trial_type"].nunique() == 9  # eight targets, and trials left before one was shown
    assert {"go_cue_time", "is_valid", "result", "target_corners_3", "target_dir", "target_on_time"} <= set(events)
    assert trials["onset"].iloc[0] == 17.212
    assert trials["duration"].iloc[0] == pytest.approx(21.553 - 17.212)


def test_spans_published_as_outliers_are_in_no_segment(shared_data):
    recording = read(shared_data("perich_miller_reaching") / "c_20131022_center_out_reaching.h5")
    assert np.allclose(recording.segments, [[0.02, 80.57], [80.81, 568.5], [568.66, 617.29]])
    assert any("cursor_outlier_segments" in decision for decision in recording.decisions)


def test_gaps_of_a_regular_temporaldata_series_become_borders(tmp_path):
    path = tmp_path / "gappy.h5"
    with h5py.File(path, "w") as file:
        file.attrs["object"] = "Data"
        spikes, lfp = file.create_group("spikes"), file.create_group("lfp")
        spikes.attrs["object"], lfp.attrs["object"], lfp.attrs["sampling_rate"] = (
            "IrregularTimeSeries",
            "RegularTimeSeries",
            100.0,
        )
        spikes["timestamps"], spikes["unit_index"] = np.linspace(0, 9.99, 50), np.zeros(50, int)
        lfp["raw"] = np.arange(1000.0)
        domain = lfp.create_group("domain")
        domain["start"], domain["end"] = [0.0, 6.0], [4.0, 10.0]
        lfp["raw"][400:600] = np.nan
    recording = read(path)
    assert np.allclose(recording.segments, [[0, 4], [6, 10]])
    assert recording.streams["lfp_raw"].values[650] == 650
    assert np.isnan(recording.streams["lfp_raw"].values[500])


@pytest.mark.parametrize("name", ["one.npz", "one.mat"])
def test_arrays_with_a_sidecar_are_read_as_they_are(tmp_path, name):
    path = written(tmp_path, {}, name=name)
    recording = read(path)
    assert recording.name == "sub-m"
    assert recording.sfreq == 1000.0
    assert recording.streams["vel"].values.shape == (1000, 2)
    assert len(recording.spikes.times) == 300


def test_times_in_ticks_steps_and_seconds_are_the_same_spikes(tmp_path):
    ticks = np.sort(np.random.default_rng(1).integers(0, 300_000, 300))
    as_steps = read(
        written(tmp_path, {"spike_times": np.diff(ticks, prepend=0)}, {"coding": "steps", "sfreq": 30_000}, "steps.npz")
    )
    as_ticks = read(written(tmp_path, {"spike_times": ticks}, {"sfreq": 30_000}, "ticks.npz"))
    assert np.array_equal(as_steps.spikes.times, ticks / 30_000)
    assert np.array_equal(as_ticks.spikes.times, ticks / 30_000)


def test_one_list_per_unit_is_the_same_as_spikes_with_unit_numbers(tmp_path):
    lists = [np.array([0.5, 1.5]), np.array([0.1, 0.2, 9.0])]
    cell = np.empty(2, dtype=object)
    cell[:] = lists
    matlab = read(written(tmp_path, {"spike_times": cell}, name="cell.mat"))
    nwb = read(
        written(
            tmp_path, {"spike_times": np.concatenate(lists), "ends": np.array([2, 5])}, {"splits": "ends"}, "nwb.npz"
        )
    )
    for recording in (matlab, nwb):
        assert recording.spikes.times.tolist() == [0.1, 0.2, 0.5, 1.5, 9.0]
        assert recording.spikes.channels.tolist() == [1, 1, 0, 0, 1]


def test_trials_have_a_duration_from_their_stop_and_keep_other_columns(tmp_path):
    arrays = {"t0": np.array([5.0, 1.0]), "t1": np.array([6.5, 2.0]), "kind": np.array(["left", "right"])}
    events = read(written(tmp_path, arrays, {"trials": {"onset": "t0", "stop": "t1", "side": "kind"}})).events
    assert events["onset"].tolist() == [1.0, 5.0]
    assert events["duration"].tolist() == [1.0, 1.5]
    assert events["side"].tolist() == ["right", "left"]


def test_unsorted_spikes_are_sorted_with_their_units_and_it_is_said(tmp_path):
    recording = read(written(tmp_path, {"spike_times": np.array([3.0, 1.0, 2.0]), "spike_units": np.array([2, 0, 1])}))
    assert recording.spikes.times.tolist() == [1.0, 2.0, 3.0]
    assert recording.spikes.channels.tolist() == [0, 1, 2]
    assert any("sorted" in decision for decision in recording.decisions)


def test_spikes_that_lie_unit_after_unit_are_in_order(tmp_path):
    times, units = np.array([1.0, 3.0, 2.0, 4.0]), np.array([0, 0, 1, 1])
    recording = read(written(tmp_path, {"spike_times": times, "spike_units": units}))
    assert recording.spikes.channels.tolist() == [0, 1, 0, 1]
    assert not any("sorted" in decision for decision in recording.decisions)
    recording = read(written(tmp_path, {"spike_times": times[[1, 0, 2, 3]], "spike_units": units}))
    assert any("sorted" in decision for decision in recording.decisions)


def test_whole_numbers_of_days_are_asked_for_their_clock(tmp_path):
    ticks = {"spike_times": np.arange(300) * 1000, "vel": np.ones((1000, 2))}
    with pytest.raises(ValueError, match=r"one.npz: spike times are whole numbers up to 299,000.*sfreq: 30000"):
        read(written(tmp_path, ticks))
    assert read(written(tmp_path, ticks, {"sfreq": 30_000})).spikes.times[-1] == 299 / 30


def test_a_silent_unit_is_kept_and_named(tmp_path):
    recording = read(written(tmp_path, {}, {"ch_names": ["a", "b", "c", "quiet"]}))
    assert recording.ch_names[-1] == "quiet"
    assert any("quiet" in decision for decision in recording.decisions)


def test_jittered_timestamps_become_a_regular_stream_at_their_typical_rate():
    times = np.arange(600) / 60 + np.random.default_rng(0).uniform(-0.001, 0.001, 600)
    stream, pieces, told = to_stream("pupil", Series(times, np.arange(600.0)), "x")
    assert stream.sfreq == 60.0
    assert np.array_equal(stream.values, np.arange(600.0))
    assert len(pieces) == 1
    assert "taken as regular" in told[0]


def test_a_linear_ramp_survives_irregular_sampling_exactly():
    times = np.cumsum(np.random.default_rng(0).uniform(0.003, 0.007, 2000))
    stream, _, _ = to_stream("ramp", Series(times, 3 * times), "x")
    grid = stream.start + np.arange(len(stream.values)) / stream.sfreq
    inside = ~np.isnan(stream.values) & (grid <= times[-1])
    assert inside.mean() > 0.99
    assert np.allclose(stream.values[inside], 3 * grid[inside], atol=1e-4)


def test_a_hole_in_behaviour_cuts_the_segments_and_is_not_interpolated(tmp_path):
    times = np.r_[np.arange(400), np.arange(500, 1000)] / 100
    recording = read(
        written(tmp_path, {"vel": np.ones((900, 2)), "t": times}, {"streams": {"vel": {"timestamps": "t"}}})
    )
    assert np.allclose(recording.segments[:, 0], [0.0, 5.0])
    assert np.allclose(recording.segments[0, 1], 4.0)
    assert np.isnan(recording.streams["vel"].values[450]).all()
    assert any("1 gaps" in decision for decision in recording.decisions)


def test_whole_numbers_hold_their_value_between_samples():
    stream, _, _ = to_stream("cue", Series(np.array([0.0, 1.0, 2.0, 3.5, 4.0, 5.0, 6.0]), np.arange(7)), "x")
    assert stream.values.dtype.kind == "i"
    assert stream.values[3] == 2  # at 3 s the value of 2 s still holds


BAD = {
    "negative": ({"spike_times": np.linspace(-1, 9, 300)}, {}, "subtract that start"),
    "not finite": ({"spike_times": np.r_[np.linspace(0, 9, 299), np.nan]}, {}, "not finite"),
    "unit out of range": ({}, {"ch_names": ["a", "b"]}, "2 units, 0 to 1"),
    "unit twice": ({}, {"ch_names": ["a", "b", "b"]}, "give each unit its own name"),
    "lengths differ": ({"spike_units": np.zeros(299, int)}, {}, "give one unit for each spike"),
    "milliseconds": ({"spike_times": np.linspace(0, 10_000, 300)}, {}, "all times are seconds"),
    "behaviour shorter than its times": (
        {"t": np.arange(900) / 100},
        {"streams": {"vel": {"timestamps": "t"}}},
        "900 timestamps",
    ),
    "times stand still": (
        {"t": np.r_[0, np.arange(999)] / 100},
        {"streams": {"vel": {"timestamps": "t"}}},
        "do not increase at sample 1",
    ),
    "neither clock": ({}, {"streams": {"vel": {"unit": "cm"}}}, "either timestamps or sfreq"),
    "all NaN": ({"vel": np.full((1000, 2), np.nan)}, {}, "leave it out"),
    "after the end": ({}, {"duration": 5.0}, "after the stated duration"),
    "misspelt array": ({}, {"times": "spike_tims"}, "write `spikes.times: spike_times`"),
    "misspelt key": ({}, {"unit": "spike_units"}, "did you mean spikes.units"),
    "ragged trials": (
        {"a": np.zeros(3), "b": np.zeros(2)},
        {"trials": {"onset": "a", "stop": "b"}},
        "different lengths",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_put_right_is_refused_with_the_repair(tmp_path, case):
    arrays, stated, repair = BAD[case]
    with pytest.raises(ValueError, match="one") as raised:
        read(written(tmp_path, arrays, stated))
    assert repair in str(raised.value)


def test_a_truncated_file_is_named(tmp_path, shared_data):
    whole = (shared_data("perich_miller_reaching") / "c_20131022_center_out_reaching.h5").read_bytes()
    cut = tmp_path / "cut.h5"
    cut.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"cut\.h5"):
        read(cut)


def test_other_files_are_left_to_other_readers(tmp_path):
    np.savez(tmp_path / "eeg.npz", data=np.zeros((2, 3)))
    (tmp_path / "eeg.yaml").write_text("modality: eeg\n")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["data"] = np.zeros(3)
    assert Spikes().sources(tmp_path) == []


def test_stated_segments_that_overlap_are_refused(tmp_path):
    path = written(tmp_path, {}, {"segments": [[0.0, 5.0], [4.0, 9.0]]})
    with pytest.raises(ValueError, match=r"one.npz: the segments 0-5 s and 4-9 s overlap"):
        read(path)
