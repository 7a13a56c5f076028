"""Sorted spikes with behaviour: what the reader keeps, what it decides, and what it refuses."""

from datetime import UTC, datetime
from pathlib import Path

import h5py
import numpy as np
import pytest
import yaml
from pynwb import NWBHDF5IO, NWBFile
from pynwb.behavior import Position, SpatialSeries
from pynwb.file import Subject
from scipy.io import savemat

from data_loaders.contracts import Recording
from data_loaders.formats.clocks import Series, to_stream
from data_loaders.modalities.spikes import Spikes


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


def read(path: Path) -> Recording:
    reader = Spikes()
    [source] = reader.sources(path)
    return reader.read(source)


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


def nwb(path: Path, units: bool = True, **changes) -> dict[int, np.ndarray]:
    """Three units on two electrodes of two regions, a hand position, trials; spike times per unit come back."""
    rng = np.random.default_rng(0)
    file = NWBFile("x", "id", datetime(2026, 1, 1, tzinfo=UTC), session_id="s1")
    file.subject = Subject(subject_id="m1", species="Mus musculus")
    group = file.create_electrode_group("probe", description="p", location="CTX", device=file.create_device("d"))
    for i, region in enumerate(("CA1", "DG")):
        file.add_electrode(x=1000.0 * i, y=2000.0, z=3000.0, location=region, group=group)
    file.add_unit_column("quality", "verdict")
    file.add_unit_column("snr", "ratio")
    lists = {i: np.sort(rng.uniform(0, 20, n)) for i, n in enumerate((400, 20, 200))}
    for i in lists:
        about = {"obs_intervals": [[0.0, 12.0], [14.0, 20.0]], "quality": ("good", "mua", "good")[i], "snr": 1.0 + i}
        file.add_unit(
            spike_times=changes.get("times", lists)[i],
            electrodes=[i % 2],
            id=10 + i,
            **about | changes.get(f"unit{i}", {}),
        )
    place = SpatialSeries(name="hand", data=np.arange(400.0).reshape(200, 2), reference_frame="x", rate=10.0)
    file.create_processing_module("behavior", "x").add(Position(spatial_series=place))
    file.add_trial_column("condition", "kind")
    for i, kind in enumerate(("a", "b", "a")):
        file.add_trial(start_time=1.0 + 5 * i, stop_time=3.0 + 5 * i, condition=kind)
    with NWBHDF5IO(path, "w") as io:
        io.write(file)
    return lists


def test_nwb_units_come_back_with_columns_regions_positions_and_behaviour(tmp_path):
    lists = nwb(tmp_path / "a.nwb")
    recording = read(tmp_path / "a.nwb")
    for unit, times in lists.items():
        np.testing.assert_array_equal(recording.spikes.times[recording.spikes.channels == unit], times)
    assert recording.name == "sub-m1_ses-s1"
    assert recording.ch_names == ("unit10", "unit11", "unit12")
    assert recording.ch_columns["quality"] == ("good", "mua", "good")
    assert recording.ch_columns["region"] == ("CA1", "DG", "CA1")
    assert recording.ch_columns["snr"] == (1.0, 2.0, 3.0)
    np.testing.assert_allclose(recording.ch_positions[1], [1e-3, 2e-3, 3e-3])
    assert recording.events["trial_type"].tolist() == ["a", "b", "a"]
    np.testing.assert_array_equal(recording.streams["hand"].values[7], [14, 15])


def test_obs_intervals_are_the_segments(tmp_path):
    nwb(tmp_path / "a.nwb")
    np.testing.assert_allclose(read(tmp_path / "a.nwb").segments, [[0, 12], [14, 20]])
    nwb(tmp_path / "b.nwb", unit1={"obs_intervals": [[5.0, 20.0]]})
    recording = read(tmp_path / "b.nwb")
    np.testing.assert_allclose(recording.segments, [[5, 12], [14, 20]])
    assert any("2 different sets of intervals" in decision for decision in recording.decisions)


@pytest.mark.parametrize(
    ("keep", "names", "told"),
    [
        ({"quality": ["good"]}, ("unit10", "unit12"), "keep quality in good: 2 of 3 units"),
        ({"rate": {"min": 5.0}}, ("unit10", "unit12"), "keep rate at least 5: 2 of 3 units"),
        ({"region": ["D*"]}, ("unit11",), "keep region in D*: 1 of 3 units"),
        (
            {"snr": {"min": 2.0, "max": 3.0}, "quality": "good"},
            ("unit12",),
            "keep snr at least 2 and at most 3: 2 of 3",
        ),
    ],
)
def test_units_are_kept_by_quality_rate_region_and_any_column(tmp_path, keep, names, told):
    lists = nwb(tmp_path / "a.nwb")
    (tmp_path / "brainfm.yaml").write_text(yaml.safe_dump({"keep": keep}))
    recording = read(tmp_path / "a.nwb")
    assert recording.ch_names == names
    assert any(told in decision for decision in recording.decisions)
    last = int(names[-1].removeprefix("unit")) - 10
    np.testing.assert_array_equal(recording.spikes.times[recording.spikes.channels == len(names) - 1], lists[last])
    assert len(recording.ch_columns["snr"]) == len(recording.ch_positions) == len(names)


def test_what_keep_asks_for_must_be_there(tmp_path):
    nwb(tmp_path / "a.nwb")
    (tmp_path / "brainfm.yaml").write_text(yaml.safe_dump({"keep": {"qualty": ["good"]}}))
    with pytest.raises(ValueError, match=r"a.nwb: keep asks for 'qualty'.*write quality"):
        read(tmp_path / "a.nwb")
    (tmp_path / "brainfm.yaml").write_text(yaml.safe_dump({"keep": {"quality": ["best"]}}))
    with pytest.raises(ValueError, match="leaves none of 3 units"):
        read(tmp_path / "a.nwb")


def test_times_before_the_sessions_zero_move_everything(tmp_path):
    times = [np.array([-1.5, 2.0]), np.array([3.0]), np.array([4.0])]
    nwb(tmp_path / "a.nwb", times=times)
    recording = read(tmp_path / "a.nwb")
    np.testing.assert_allclose(recording.spikes.times, [0.5, 4.0, 5.0, 6.0])
    assert recording.events["onset"].iloc[0] == 3.0
    assert recording.streams["hand"].start == 2.0


def phy(folder: Path, **changes) -> tuple[np.ndarray, np.ndarray]:
    """Spikes at 30 kHz of clusters 0, 3 and 7, as Kilosort and phy write them."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    ticks, clusters = np.sort(rng.integers(0, 600_000, 500)), rng.choice([0, 3, 7], 500)
    np.save(folder / "spike_times.npy", ticks.astype(np.uint64)[:, None])
    np.save(folder / "spike_clusters.npy", clusters.astype(np.int32))
    np.save(folder / "channel_positions.npy", np.array([[0.0, 0.0], [16.0, 20.0]]))
    (folder / "params.py").write_text(
        "import os\ndat_path = os.environ['NOWHERE']\nn_channels_dat = 2\nsample_rate = 30000.\n"
    )
    (folder / "cluster_group.tsv").write_text("cluster_id\tgroup\n0\tgood\n3\tnoise\n7\tunsorted\n")
    (folder / "cluster_KSLabel.tsv").write_text("cluster_id\tKSLabel\n0\tgood\n3\tgood\n7\tmua\n")
    (folder / "cluster_info.tsv").write_text(
        "cluster_id\tch\tdepth\tfr\n0\t1\t20.0\t8.0\n3\t0\t0.0\t8.1\n7\t0\t0.0\t8.2\n"
    )
    for name, text in changes.items():
        (folder / name.replace("__", ".")).write_text(text)
    return ticks / 30_000, clusters


def test_a_phy_folder_gives_units_quality_and_positions_and_leaves_noise_out(tmp_path):
    times, clusters = phy(tmp_path / "mouse1" / "day2" / "kilosort4")
    [source] = Spikes().sources(tmp_path)
    recording = Spikes().read(source)
    assert (recording.subject, recording.session) == ("mouse1", "day2")
    assert recording.ch_names == ("unit0", "unit7")
    assert recording.ch_columns["quality"] == ("good", "mua")
    assert any("keep quality in good, mua: 2 of 3 units" in decision for decision in recording.decisions)
    np.testing.assert_array_equal(recording.spikes.times[recording.spikes.channels == 1], times[clusters == 7])
    np.testing.assert_allclose(recording.ch_positions, [[16e-6, 20e-6, 0], [0, 0, 0]])


def test_params_py_is_read_and_never_run(tmp_path):
    phy(tmp_path / "m", params__py="sample_rate = 30000.\nopen('was_run', 'w')\nraise SystemExit\n")
    [source] = Spikes().sources(tmp_path / "m")
    assert len(Spikes().read(source).spikes.times)
    assert not (tmp_path / "was_run").exists()
    phy(tmp_path / "m", params__py="sample_rate = 3e4 * 1\n")
    with pytest.raises(ValueError, match=r"m: params.py states no usable sample_rate.*sfreq: 30000"):
        Spikes().read(source)


def test_behaviour_beside_a_phy_folder(tmp_path):
    phy(tmp_path / "m")
    np.savez(tmp_path / "m" / "track.npz", x=np.arange(200.0), t=np.arange(200) / 10)
    (tmp_path / "m" / "trials.csv").write_text("start,kind\n1.0,left\n5.0,right\n")
    stated = {
        "streams": {"x": {"file": "track.npz", "timestamps": "t"}},
        "trials": {"file": "trials.csv", "onset": "start", "trial_type": "kind"},
    }
    (tmp_path / "m" / "brainfm.yaml").write_text(yaml.safe_dump({"modality": "spikes", "spikes": stated}))
    [source] = Spikes().sources(tmp_path)
    recording = Spikes().read(source)
    np.testing.assert_array_equal(recording.streams["x"].values, np.arange(200))
    assert recording.events["trial_type"].tolist() == ["left", "right"]
    assert tmp_path / "m" / "track.npz" in source.paths


def test_stated_segments_that_overlap_are_refused(tmp_path):
    path = written(tmp_path, {}, {"segments": [[0.0, 5.0], [4.0, 9.0]]})
    with pytest.raises(ValueError, match=r"one.npz: the segments 0-5 s and 4-9 s overlap"):
        read(path)
