"""Plain arrays with a sidecar, made here and real ones."""

import h5py
import numpy as np
import pytest
import yaml
from scipy.io import savemat

from data_loaders.modalities.eeg import EEG
from data_loaders.modalities.meg import MEG

TRIALS = {
    "modality": "eeg",
    "signal": "x",
    "axes": ["trial", "channel", "time"],
    "sfreq": 50,
    "unit": "uV",
    "tmin": -0.2,
    "labels": "y",
}


def _noise(*shape):
    return 20 * np.random.default_rng(0).normal(size=shape)


def _write(folder, arrays, description, name="a"):
    np.savez(folder / f"{name}.npz", **arrays)
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(description))


def _only(root, reader=EEG):
    sources = reader().sources(root)
    assert len(sources) == 1
    return reader().read(sources[0])


def _described(folder, root, **description):
    (folder / "described.yaml").write_text(yaml.safe_dump({"root": str(root)} | description))
    return folder / "described.yaml"


def test_trials_are_segments_in_volts_with_their_label_at_time_zero(tmp_path):
    x, y = _noise(4, 3, 40), np.array([1, 2, 2, 1])
    _write(tmp_path, {"x": x, "y": y}, TRIALS | {"names": {1: "left"}, "ch_names": ["C3", "Cz", "C4"]})
    recording = _only(tmp_path)
    np.testing.assert_allclose(recording.signal[40:80].T, 1e-6 * x[1], rtol=1e-6)
    np.testing.assert_allclose(recording.segments, [[0, 0.8], [0.8, 1.6], [1.6, 2.4], [2.4, 3.2]])
    np.testing.assert_allclose(recording.events["onset"], [0.2, 1.0, 1.8, 2.6])
    assert recording.events["trial_type"].tolist() == ["left", "2", "2", "left"]
    assert recording.units == ("V",) * 3
    assert np.isfinite(recording.ch_positions).all()


@pytest.mark.parametrize(
    "axes", [["trial", "channel", "time"], ["time", "trial", "channel"], ["channel", "time", "trial"]]
)
def test_the_order_of_axes_in_the_file_does_not_matter(tmp_path, axes):
    x = _noise(4, 3, 40)
    order = [["trial", "channel", "time"].index(axis) for axis in axes]
    _write(tmp_path, {"x": x.transpose(order), "y": np.arange(4)}, TRIALS | {"axes": axes})
    np.testing.assert_allclose(_only(tmp_path).signal, 1e-6 * x.transpose(0, 2, 1).reshape(-1, 3), rtol=1e-6)


def test_conditions_and_blocks_are_columns_of_the_events(tmp_path):
    x = _noise(3, 2, 10, 4)
    _write(
        tmp_path,
        {"x": x},
        {"modality": "eeg", "axes": ["target", "channel", "time", "block"], "sfreq": 50, "unit": "uV"},
    )
    recording = _only(tmp_path)
    row = recording.events.query("target == 2 and block == 1").iloc[0]
    start = round(row["onset"] * 50)
    np.testing.assert_allclose(recording.signal[start : start + 10].T, 1e-6 * x[2, :, :, 1], rtol=1e-6)
    assert row["trial_type"] == "2"
    assert len(recording.segments) == 12


def test_a_marker_channel_gives_an_event_where_each_code_begins(tmp_path):
    marker = np.zeros(100)
    marker[10:15], marker[50:52], marker[80] = 1, -1, 9
    stated = {
        "modality": "eeg",
        "signal": "y",
        "axes": ["time", "channel"],
        "sfreq": "fs",
        "unit": "uV",
        "trigger": "trig",
    }
    savemat(tmp_path / "S1.mat", {"y": _noise(100, 2), "trig": marker[:, None], "fs": 50})
    (tmp_path / "brainfm.yaml").write_text(
        yaml.safe_dump(stated | {"pattern": "{subject}.mat", "codes": {1: "target", -1: "other"}})
    )
    recording = _only(tmp_path)
    assert (recording.subject, recording.sfreq, recording.duration) == ("S1", 50, 2)
    assert recording.events["trial_type"].tolist() == ["target", "other"]
    np.testing.assert_allclose(recording.events["onset"], [0.2, 1.0])
    (tmp_path / "brainfm.yaml").write_text(yaml.safe_dump(stated))
    assert _only(tmp_path).events["trial_type"].tolist() == ["1", "-1", "9"]


def test_version_7_3_mat_files_and_structs_are_read(tmp_path):
    x = _noise(100, 2)
    with h5py.File(tmp_path / "new.mat", "w", userblock_size=512) as file:
        file["eeg/data"] = x.T
    savemat(tmp_path / "old.mat", {"eeg": {"data": x}})
    stated = {"modality": "eeg", "signal": "eeg.data", "axes": ["time", "channel"], "sfreq": 50, "unit": "uV"}
    (tmp_path / "brainfm.yaml").write_text(yaml.safe_dump(stated))
    signals = [EEG().read(source).signal for source in EEG().sources(tmp_path)]
    np.testing.assert_array_equal(signals[0], signals[1])
    np.testing.assert_allclose(signals[0], 1e-6 * x, rtol=1e-6)


def test_real_labels_are_values(tmp_path):
    _write(tmp_path, {"x": _noise(2, 3, 40), "y": [0.25, 0.5]}, TRIALS)
    events = _only(tmp_path).events
    assert events["value"].tolist() == [0.25, 0.5]
    assert "trial_type" not in events


def test_numbers_without_a_unit_are_taken_when_that_is_stated(tmp_path):
    _write(tmp_path, {"x": _noise(2, 3, 40), "y": [0, 1]}, TRIALS | {"unit": "V"})
    with pytest.raises(ValueError, match=r"a\.npz.*`unit: uV` for arrays"):
        _only(tmp_path)
    _write(tmp_path, {"x": _noise(2, 3, 40), "y": [0, 1]}, TRIALS | {"unit": "n/a"})
    assert _only(tmp_path).units == ("n/a",) * 3


def test_channels_that_are_not_brain_become_streams(tmp_path):
    kinds = {"ch_names": ["C3", "C4", "lid"], "ch_types": ["eeg", "eeg", "eog"]}
    _write(tmp_path, {"x": _noise(2, 3, 40), "y": [0, 1]}, TRIALS | kinds)
    recording = _only(tmp_path)
    assert recording.ch_names == ("C3", "C4")
    assert recording.streams["eog"].names == ("lid",)


@pytest.mark.parametrize("missing", ["axes", "sfreq", "unit"])
def test_a_missing_key_is_named_with_the_line_to_add(tmp_path, missing):
    _write(
        tmp_path, {"x": _noise(2, 3, 40), "y": [0, 1]}, {key: value for key, value in TRIALS.items() if key != missing}
    )
    with pytest.raises(
        ValueError, match=rf"a\.npz does not say its {missing}: add the line `{missing}: .*` to a\.yaml"
    ):
        _only(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"signal": "z"}, r"no variable 'z' \(signal in the sidecar\), it has \['x', 'y'\]"),
        ({"labels": "yy"}, "write `labels: y`"),
        ({"axes": ["trial", "time"]}, r"shape \(2, 3, 40\), but axes is \['trial', 'time'\]"),
        ({"unit": "volt"}, "expected one of .*uV"),
        ({"ch_names": ["a", "b"]}, "3 channels but ch_names has 2 entries"),
        ({"ch_names": ["a", "b", "a"]}, "two channels called 'a'"),
        ({"sfreq": -1}, "expected hertz above 0"),
        ({"sfrq": 3}, "did you mean 'sfreq'"),
        ({"labels": [1, 2, 3]}, "2 trials but 3 labels"),
    ],
)
def test_a_wrong_sidecar_is_refused_with_the_repair(tmp_path, change, message):
    _write(tmp_path, {"x": _noise(2, 3, 40), "y": [0, 1]}, TRIALS | change)
    with pytest.raises(ValueError, match=message):
        _only(tmp_path)


def test_a_truncated_array_file_is_refused(tmp_path):
    _write(tmp_path, {"x": _noise(2, 3, 40), "y": [0, 1]}, TRIALS)
    (tmp_path / "a.npz").write_bytes((tmp_path / "a.npz").read_bytes()[:900])
    with pytest.raises(ValueError, match=r"a\.npz cannot be read .*truncated"):
        _only(tmp_path)


def test_arrays_without_a_modality_belong_to_no_reader(tmp_path):
    np.savez(tmp_path / "a.npz", x=_noise(3, 4))
    assert EEG().sources(tmp_path) == []
    assert MEG().sources(tmp_path) == []


def test_the_meg_epochs_are_read_as_described(tmp_path, shared_data):
    names = {1: "auditory/left", 2: "auditory/right", 3: "visual/left", 4: "visual/right"}
    root = _described(
        tmp_path, shared_data("mne_meg_sample"), exclude=["*.fif"], subject="01", modality="meg", signal="data", unit="T/m", tmin=-0.2,
        axes=["trial", "channel", "time"], sfreq=60.06, labels="cond_idx", names=names, ch_names="channel_names", ch_types="grad",
    )  # fmt: skip
    recording = _only(root, MEG)
    counts = recording.events["trial_type"].value_counts().to_dict()
    assert counts == {"auditory/left": 50, "auditory/right": 59, "visual/left": 63, "visual/right": 55}
    with np.load(shared_data("mne_meg_sample") / "meg_epochs_227x203x58.npz") as file:
        np.testing.assert_allclose(recording.signal[58:116].T, file["data"][1], rtol=1e-6)
        zero = file["times"][round(recording.events["onset"][0] * recording.sfreq)]
    assert abs(zero) < 0.5 / 60
    assert recording.ch_names[0] == "MEG 0113"


def test_the_ssvep_blocks_are_read_as_described(tmp_path, shared_data):
    root = _described(
        tmp_path,
        shared_data("ssvep_trca"),
        subject="01",
        modality="eeg",
        axes=["target", "channel", "time", "block"],
        sfreq=250,
        unit="uV",
    )
    recording = _only(root)
    assert recording.signal.shape == (40 * 6 * 1250, 9)
    assert recording.events["block"].nunique() == 6
    assert recording.events["trial_type"].nunique() == 40


def test_the_p300_markers_are_read_as_described(tmp_path, shared_data):
    codes = {1: "target", -1: "nontarget"}
    root = _described(
        tmp_path, shared_data("p300_br41n"), pattern="{subject}.mat", modality="eeg", signal="y", axes=["time", "channel"], sfreq="fs",
        unit="uV", trigger="trig", codes=codes,
    )  # fmt: skip
    recordings = [EEG().read(source) for source in EEG().sources(root)]
    assert [recording.subject for recording in recordings] == ["S1", "S2", "S3"]
    for recording in recordings:
        assert recording.events["trial_type"].value_counts().to_dict() == {"nontarget": 1050, "target": 150}


def test_whole_numbers_with_a_gain_stay_whole(tmp_path):
    steps = np.random.default_rng(0).integers(-3000, 3000, size=(4, 3, 40)).astype(np.int16)
    stated = {"gain": "lsb", "offset": [1.0, 0.0, -1.0]}
    _write(tmp_path, {"x": steps, "y": np.arange(4), "lsb": np.array([0.02, 0.01, 0.03])}, TRIALS | stated)
    recording = _only(tmp_path)
    again = np.round((recording.signal - recording.offset) / recording.gain)
    np.testing.assert_array_equal(again, steps.transpose(0, 2, 1).reshape(-1, 3))
    np.testing.assert_allclose(recording.signal[0, 0], 1e-6 * (steps[0, 0, 0] * 0.02 + 1.0))
    (tmp_path / "a.yaml").write_text(yaml.safe_dump(TRIALS | {"gain": [1, 2]}))
    with pytest.raises(ValueError, match="3 channels but gain has 2 entries"):
        _only(tmp_path)


def test_positions_of_arrays_are_metres_per_channel(tmp_path):
    where = np.random.default_rng(0).normal(0, 0.05, size=(3, 3))
    _write(tmp_path, {"x": _noise(4, 3, 40), "y": np.arange(4), "pos": where}, TRIALS | {"ch_positions": "pos"})
    np.testing.assert_array_equal(_only(tmp_path).ch_positions, where)
    _write(tmp_path, {"x": _noise(4, 3, 40), "y": np.arange(4), "pos": where[:2]}, TRIALS | {"ch_positions": "pos"})
    with pytest.raises(ValueError, match=r"shape \(2, 3\), expected \(3, 3\)"):
        _only(tmp_path)
