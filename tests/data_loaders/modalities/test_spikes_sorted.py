"""Sorted spikes as NWB files and phy folders hold them, and units kept by what is known of them."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from pynwb import NWBHDF5IO, TimeSeries
from pynwb.behavior import BehavioralEvents

from data_loaders.modalities.spikes import Spikes
from tests.data_loaders.modalities.sorted_spikes import nwb, read


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


def test_a_table_of_events_is_read_as_trials_are(tmp_path):
    nwb(tmp_path / "a.nwb")
    with NWBHDF5IO(tmp_path / "a.nwb", "a") as io:
        file = io.read()
        table = file.create_events_table(name="flash", description="x")
        table.add_column("stimulus", "which")
        table.add_event(timestamp=2.0, duration=0.5, stimulus="red")
        table.add_event(timestamp=18.0, duration=np.nan, stimulus="blue")
        io.write(file)
    rows = read(tmp_path / "a.nwb").events.query("stimulus != 'n/a'")
    assert rows["trial_type"].tolist() == ["red", "blue"]
    assert rows["onset"].tolist() == [2.0, 18.0]
    assert rows["duration"].tolist() == [0.5, 0.0]


@pytest.mark.filterwarnings("ignore:BehavioralEvents is deprecated")
def test_what_happened_now_and_then_is_an_event_and_cuts_no_segment(tmp_path):
    nwb(tmp_path / "a.nwb")
    with NWBHDF5IO(tmp_path / "a.nwb", "a") as io:
        file = io.read()
        licks = TimeSeries(name="lick", data=np.array([1.0, 2.0, 1.0]), unit="n/a", timestamps=[2.0, 2.3, 18.0])
        file.processing["behavior"].add(BehavioralEvents(time_series=licks))
        reward = {"data": np.ones(5), "timestamps": [1.0, 2.1, 7.8, 9.2, 17.7]}
        file.add_acquisition(TimeSeries(name="reward", unit="ml", **reward))
        file.add_acquisition(TimeSeries(name="state", unit="n/a", data=np.arange(5.0), timestamps=5.0 * np.arange(5)))
        io.write(file)
    recording = read(tmp_path / "a.nwb")
    rows = recording.events[recording.events["trial_type"] == "lick"]
    assert rows["onset"].tolist() == [2.0, 2.3, 18.0]
    assert rows["value"].tolist() == [1.0, 2.0, 1.0]
    assert recording.events.query("trial_type == 'reward'")["onset"].tolist() == reward["timestamps"]
    assert any("now and then are events: lick, reward" in decision for decision in recording.decisions)
    assert set(recording.streams) == {"hand", "state"}
    np.testing.assert_allclose(recording.segments, [[0, 12], [14, 20]])


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


def test_verdicts_of_an_older_phy_are_read_and_missing_ones_told(tmp_path):
    phy(tmp_path / "m", cluster_groups__csv="cluster_id\tgroup\n0\tgood\n3\tnoise\n7\tmua\n")
    for table in (tmp_path / "m").glob("*.tsv"):
        table.unlink()
    [source] = Spikes().sources(tmp_path)
    assert Spikes().read(source).ch_columns["quality"] == ("good", "mua")
    (tmp_path / "m" / "cluster_groups.csv").unlink()
    recording = Spikes().read(source)
    assert recording.ch_names == ("unit0", "unit3", "unit7")
    assert any("no table says what clusters are" in decision for decision in recording.decisions)


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
