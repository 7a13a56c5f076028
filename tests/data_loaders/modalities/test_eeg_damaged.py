"""The EEG reader on files that are cut, flat, without numbers, in a wrong unit or of one name twice."""

import re
import sys

import h5py
import numpy as np
import pytest
import yaml
from edfio import Edf, EdfAnnotation, EdfSignal

from data_loaders.modalities.eeg import EEG
from data_loaders.modalities.meg import MEG
from tests.data_loaders.modalities.eeg_files import _brainvision, _only

pytestmark = [
    pytest.mark.filterwarnings("ignore::RuntimeWarning:mne"),
    pytest.mark.filterwarnings("ignore:.*naming conventions.*:RuntimeWarning"),
    pytest.mark.filterwarnings("ignore:Encountered data in.*:UserWarning"),
]


def test_a_truncated_edf_says_how_much_is_missing(tmp_path, make_raw):
    make_raw().export(tmp_path / "a.edf", verbose="error")
    data = (tmp_path / "a.edf").read_bytes()
    (tmp_path / "a.edf").write_bytes(data[: 7 * len(data) // 10])
    recording = _only(tmp_path)
    assert recording.duration < 10
    assert any(f"holds {recording.duration:g} s of the 10 s" in decision for decision in recording.decisions)


@pytest.mark.parametrize("name", ["a.edf", "a_raw.fif", "a.vhdr", "a.set"])
def test_a_file_that_ends_in_its_header_is_refused_with_the_repair(tmp_path, make_raw, name):
    raw = make_raw()
    raw.save(tmp_path / name, verbose="error") if name.endswith("fif") else raw.export(tmp_path / name, verbose="error")
    (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:200])
    source = [*EEG().sources(tmp_path), *MEG().sources(tmp_path)][0]
    with pytest.raises(ValueError, match=rf"{name}.*truncated(.|\n)*exclude: \[{name}\]"):
        EEG().read(source)


def test_a_set_of_matlab_7_3_says_how_it_is_read(tmp_path, monkeypatch):
    with h5py.File(tmp_path / "a.set", "w", userblock_size=512) as file:
        file.create_group("EEG")["trials"] = [[1.0]]
    monkeypatch.setitem(sys.modules, "pymatreader", None)
    with pytest.raises(ValueError, match=r"a.set is saved in version 7.3 of MATLAB.*pip install pymatreader.*save -v7"):
        _only(tmp_path)


def test_pauses_within_an_edf_file_are_refused(tmp_path):
    signal = EdfSignal(np.random.default_rng(0).normal(0, 20, 1000), 100, label="C3", physical_dimension="uV")
    Edf([signal], annotations=[EdfAnnotation(1, None, "x")]).write(tmp_path / "a.edf")
    interrupted = (tmp_path / "a.edf").read_bytes().replace(b"EDF+C", b"EDF+D", 1)
    (tmp_path / "a.edf").write_bytes(interrupted)
    assert _only(tmp_path).duration == 10  # by name only: each record begins where the last one ended
    late = interrupted.replace(b"+9\x14\x14\x00", b"+99\x14\x14", 1)
    assert late != interrupted
    (tmp_path / "a.edf").write_bytes(late)
    with pytest.raises(ValueError, match="pauses between its records"):
        _only(tmp_path)


def test_flat_and_doubled_channels_are_marked_bad(tmp_path, make_raw):
    raw = make_raw()
    raw._data[1] = 3e-6
    raw._data[4] = raw._data[2]
    raw.save(tmp_path / "a_raw.fif", verbose="error")
    recording = _only(tmp_path)
    assert set(recording.bads) == {"Fp2", "C4"}
    assert any("flat, marked bad: Fp2" in decision for decision in recording.decisions)
    assert any("C4 = C3" in decision for decision in recording.decisions)


def test_channels_of_one_name_are_told_apart_and_told(tmp_path):
    rng = np.random.default_rng(0)
    Edf([EdfSignal(rng.normal(0, 20, 1000), 100, label="C3", physical_dimension="uV") for _ in range(2)]).write(
        tmp_path / "a.edf"
    )
    recording = _only(tmp_path)
    assert len(set(recording.ch_names)) == 2
    assert any("unique" in decision for decision in recording.decisions)


def test_stretches_of_nan_are_zeroed_and_cut_and_a_dead_channel_is_bad(tmp_path, make_raw):
    raw = make_raw()
    raw._data[0, 200:300] = np.nan
    raw._data[3, :900] = np.inf
    raw.save(tmp_path / "a_raw.fif", verbose="error")
    recording = _only(tmp_path)
    np.testing.assert_allclose(recording.segments, [[0, 2], [3, 10]])
    assert np.isfinite(recording.signal).all()
    assert not recording.signal[200:300, 0].any()
    assert recording.bads == ("Cz",)
    assert any("1 stretches (1 s) with NaN" in decision for decision in recording.decisions)


def test_a_recording_without_numbers_is_refused(tmp_path, make_raw):
    raw = make_raw()
    raw._data[:] = np.nan
    raw.save(tmp_path / "a_raw.fif", verbose="error")
    with pytest.raises(ValueError, match="holds hardly a number"):
        _only(tmp_path)


@pytest.mark.parametrize(
    ("factor", "unit", "scale"), [(1e6, "uV", 1e-6), (1e3, "mV", 1e-3), (1e-6, "scaled twice", 1e6)]
)
def test_a_wrong_unit_is_refused_and_the_line_of_the_message_mends_it(tmp_path, make_raw, factor, unit, scale):
    raw = make_raw(scale=2e-5 * factor)
    raw.save(tmp_path / "a_raw.fif", fmt="double", verbose="error")
    with pytest.raises(ValueError, match=re.escape(f"scale: {scale:.0e}")) as refusal:
        _only(tmp_path)
    assert unit in str(refusal.value)
    (tmp_path / "a_raw.yaml").write_text(f"scale: {scale:.0e}\n")
    assert 1e-5 < np.median(np.abs(_only(tmp_path).signal)) < 2e-5


def test_events_outside_the_recording_are_dropped_and_told(tmp_path, make_raw):
    np.savez(tmp_path / "a.npz", x=make_raw().get_data(), t=[1.0, 9.0, 10.0, -3.0])
    described = {
        "modality": "eeg",
        "axes": ["channel", "time"],
        "sfreq": 100,
        "unit": "V",
        "events": {"onset": "t"},
        "signal": "x",
    }
    (tmp_path / "a.yaml").write_text(yaml.safe_dump(described))
    recording = _only(tmp_path)
    assert recording.events["onset"].tolist() == [1.0, 9.0]
    assert any("2 events outside the recording of 10 s are dropped" in decision for decision in recording.decisions)


def test_a_path_that_is_not_ascii_is_read(tmp_path, make_raw):
    folder = tmp_path / "Größe 脑"
    folder.mkdir()
    make_raw().export(folder / "Zoë ü.edf", verbose="error")
    _brainvision(folder, make_raw(), name="naïve")
    recordings = [EEG().read(source) for source in EEG().sources(folder)]
    assert [recording.subject for recording in recordings] == ["Zoë ü", "naïve"]
    assert {recording.study for recording in recordings} == {"Größe 脑"}


def test_a_file_without_a_brain_channel_is_refused(tmp_path, make_raw):
    make_raw(["ECG", "EMG"]).export(tmp_path / "a.edf", verbose="error")
    with pytest.raises(ValueError, match=r"a\.edf has no eeg channel but ECG ecg, EMG emg"):
        _only(tmp_path)


def test_a_sidecar_overrules_types_and_bads_by_either_name(tmp_path, make_raw):
    make_raw(["EEG Fp1", "EEG Fp2", "EXG1", "Cz"]).export(tmp_path / "a.edf", verbose="error")
    (tmp_path / "brainfm.yaml").write_text("ch_types: {EXG1: eog, EEG Fp2: misc}\nbads: [Fp1]\n")
    recording = _only(tmp_path)
    assert recording.ch_names == ("Fp1", "Cz")
    assert recording.bads == ("Fp1",)
    assert recording.streams["eog"].names == ("EXG1",)
    (tmp_path / "brainfm.yaml").write_text("bads: [Fp9]\n")
    with pytest.raises(ValueError, match="Fp9"):
        _only(tmp_path)
