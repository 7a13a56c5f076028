"""The EEG reader on files that MNE, pybv, edfio and eeglabio wrote: signal, names, events, clocks."""

import os

import mne
import numpy as np
import pandas as pd
import pytest
from edfio import Bdf, BdfSignal

from data_loaders.modalities.eeg import EEG
from data_loaders.modalities.meg import MEG
from tests.data_loaders.modalities.eeg_files import _brainvision, _only

pytestmark = [
    pytest.mark.filterwarnings("ignore::RuntimeWarning:mne"),
    pytest.mark.filterwarnings("ignore:.*naming conventions.*:RuntimeWarning"),
    pytest.mark.filterwarnings("ignore:Encountered data in.*:UserWarning"),
]


@pytest.mark.parametrize("suffix", [".edf", ".bdf", ".set", ".vhdr", "_raw.fif"])
def test_every_format_gives_back_the_signal_that_was_written(tmp_path, make_raw, suffix):
    raw = make_raw()
    if suffix == "_raw.fif":
        raw.save(tmp_path / "a_raw.fif", verbose="error")
    else:
        raw.export(tmp_path / f"a{suffix}", verbose="error")
    recording = _only(tmp_path)
    assert recording.ch_names == tuple(raw.ch_names)
    assert recording.units == ("V",) * 6
    assert recording.sfreq == 100.0
    assert recording.duration == 10.0
    assert recording.signal is not None
    np.testing.assert_allclose(recording.signal.T, raw.get_data(), atol=2e-8)


@pytest.mark.parametrize("kind", ["edf", "brainvision"])
def test_int16_files_give_steps_that_store_without_loss(tmp_path, make_raw, kind):
    raw = make_raw()
    if kind == "edf":
        raw.export(tmp_path / "a.edf", physical_range=(-300, 200), verbose="error")
    else:
        _brainvision(tmp_path, raw)
    recording = _only(tmp_path)
    steps = (recording.signal - recording.offset) / recording.gain
    assert np.abs(steps - np.round(steps)).max() < 1e-3
    again = np.round(steps).astype(np.int16) * recording.gain + recording.offset
    np.testing.assert_allclose(again, recording.signal, rtol=0, atol=1e-12)


def test_float_and_24_bit_files_have_no_integer_steps(tmp_path, make_raw):
    make_raw().export(tmp_path / "a.bdf", verbose="error")
    (tmp_path / "float").mkdir()
    _brainvision(tmp_path / "float", make_raw(), name="b", fmt="binary_float32")
    for source in EEG().sources(tmp_path):
        assert EEG().read(source).gain is None


def test_names_of_an_edf_file_tell_electrodes_from_the_rest(tmp_path, make_raw):
    names = ["EEG Fp1", "EEG CZ-REF", "EEG A2-A1", "ECG ECG", "EEG VEOG", "SpO2"]
    make_raw(names).export(tmp_path / "a.edf", verbose="error")
    recording = _only(tmp_path)
    assert recording.ch_names == ("Fp1", "Cz")
    streams = {name: stream.names for name, stream in recording.streams.items()}
    assert streams == {"misc": ("A2-A1", "SpO2"), "ecg": ("ECG ECG",), "eog": ("VEOG",)}
    assert any("EEG Fp1 -> Fp1" in decision for decision in recording.decisions)
    assert any("not EEG" in decision for decision in recording.decisions)


def test_standard_positions_lie_where_the_names_say_and_only_where_the_file_has_none(tmp_path, make_raw):
    raw = make_raw(["Fp1", "Fp2", "Oz", "thing"])
    raw.export(tmp_path / "a.edf", verbose="error")
    x, y, z = _only(tmp_path).ch_positions.T
    assert x[0] < 0 < x[1]
    assert y[2] < 0 < y[0]
    assert np.isnan(z[3])
    assert np.nanmax(np.abs([x, y, z])) < 0.15
    known = make_raw(["Fp1", "Fp2", "Oz", "thing"])
    known.set_montage(
        mne.channels.make_dig_montage({"Fp1": [0.01, 0.02, 0.03]}, coord_frame="head"), on_missing="ignore"
    )
    (tmp_path / "known").mkdir()
    known.save(tmp_path / "known" / "a_raw.fif", verbose="error")
    positions = _only(tmp_path / "known").ch_positions
    np.testing.assert_allclose(positions[0], [0.01, 0.02, 0.03], atol=1e-7)
    assert np.isnan(positions[1:]).all()


def test_channels_that_fif_types_as_something_else_become_streams(tmp_path, make_raw):
    raw = make_raw(["Cz", "Pz", "ECG063", "blink", "force"], ["eeg", "eeg", "ecg", "eog", "misc"])
    raw.save(tmp_path / "a_raw.fif", verbose="error")
    recording = _only(tmp_path)
    assert recording.ch_names == ("Cz", "Pz")
    np.testing.assert_allclose(recording.streams["ecg"].values[:, 0], raw.get_data("ecg")[0], rtol=1e-6)
    assert (recording.streams["eog"].names, recording.streams["eog"].unit) == (("blink",), "V")


def test_annotations_become_events_and_bad_spans_cut_segments(tmp_path, make_raw):
    raw = make_raw()
    raw.set_annotations(
        mne.Annotations([1.0, 3.0, 5.0, 8.0], [0.5, 1.5, 0, 0], ["left", "BAD_muscle", "right", "EDGE boundary"])
    )
    raw.save(tmp_path / "a_raw.fif", verbose="error")
    recording = _only(tmp_path)
    assert recording.events["trial_type"].tolist() == ["left", "right"]
    np.testing.assert_allclose(recording.events["onset"], [1.0, 5.0])
    np.testing.assert_allclose(recording.segments, [[0, 3], [4.5, 8], [8, 10]])


def test_onsets_count_from_the_first_sample_of_a_cropped_file(tmp_path, make_raw):
    raw = make_raw(seconds=20)
    raw.set_meas_date(1_000_000)
    raw.set_annotations(mne.Annotations([7.0], [0], ["tone"], orig_time=raw.info["meas_date"]))
    raw.crop(5).save(tmp_path / "a_raw.fif", verbose="error")
    np.testing.assert_allclose(_only(tmp_path).events["onset"], [2.0])


def test_stimulus_channels_become_events_only_where_nothing_else_is(tmp_path, make_raw):
    raw = make_raw(["Cz", "STI 014"], ["eeg", "stim"])
    steps = np.zeros(1000)
    steps[200:210], steps[500:510] = 5, 7
    raw._data[1] = steps
    raw.save(tmp_path / "a_raw.fif", verbose="error")
    events = _only(tmp_path).events
    assert events["trial_type"].tolist() == ["5", "7"]
    assert events["value"].tolist() == [5, 7]
    np.testing.assert_allclose(events["onset"], [2.0, 5.0])
    raw.set_annotations(mne.Annotations([1.0], [0], ["word"]))
    raw.save(tmp_path / "a_raw.fif", overwrite=True, verbose="error")
    assert _only(tmp_path).events["trial_type"].tolist() == ["word"]


def test_brainvision_markers_keep_their_times(tmp_path, make_raw):
    marker = {"onset": 300, "duration": 1, "type": "Stimulus", "description": 4}
    _brainvision(tmp_path, make_raw(), events=[marker])
    events = _only(tmp_path).events
    assert events["trial_type"].tolist() == ["Stimulus/S  4"]
    np.testing.assert_allclose(events["onset"], [3.0])


@pytest.mark.parametrize("writer", ["fif", "eeglab"])
def test_cut_trials_are_segments_with_an_event_at_time_zero(tmp_path, make_raw, writer):
    raw = make_raw(seconds=20)
    events = np.array([[300, 0, 1], [700, 0, 2], [1500, 0, 1]])
    table = pd.DataFrame({"word": ["cat", "dog", "eel"], "rt": [0.3, 0.5, 0.7]})
    epochs = mne.Epochs(
        raw, events, {"left": 1, "right": 2}, -0.2, 0.49, metadata=table, baseline=None, preload=True, verbose="error"
    )
    if writer == "fif":
        epochs.save(tmp_path / "a-epo.fif", verbose="error")
    else:
        epochs.export(tmp_path / "a.set", verbose="error")
    recording = _only(tmp_path)
    np.testing.assert_allclose(recording.segments, [[0, 0.7], [0.7, 1.4], [1.4, 2.1]])
    np.testing.assert_allclose(recording.events["onset"], [0.2, 0.9, 1.6])
    assert recording.events["trial_type"].tolist() == ["left", "right", "left"]
    np.testing.assert_allclose(recording.signal[70:140].T, epochs.get_data(copy=False)[1], atol=1e-9)
    if writer == "fif":
        assert recording.events["word"].tolist() == ["cat", "dog", "eel"]
        assert recording.events["sample"].tolist() == [300, 700, 1500]


def test_trials_that_share_samples_are_told(tmp_path, make_raw):
    epochs = mne.Epochs(
        make_raw(),
        np.array([[300, 0, 1], [320, 0, 1]]),
        tmin=-0.2,
        tmax=0.5,
        baseline=None,
        preload=True,
        verbose="error",
    )
    epochs.save(tmp_path / "a-epo.fif", verbose="error")
    assert any("share samples" in decision for decision in _only(tmp_path).decisions)


def test_the_key_changes_with_the_file_its_companions_and_its_sidecar(tmp_path, make_raw):
    _brainvision(tmp_path, make_raw())
    keys = [EEG().sources(tmp_path)[0].key, EEG().sources(tmp_path)[0].key]
    assert keys[0] == keys[1]
    then = (tmp_path / "a.eeg").stat().st_mtime_ns
    with (tmp_path / "a.eeg").open("ab") as file:
        file.write(bytes(12))
    os.utime(tmp_path / "a.eeg", ns=(then, then))
    keys.append(EEG().sources(tmp_path)[0].key)  # another size, the same time
    os.utime(tmp_path / "a.eeg", ns=(then, then + 10**9))
    keys.append(EEG().sources(tmp_path)[0].key)  # the same size, another time
    (tmp_path / "a.yaml").write_text("bads: [Cz]\n")
    keys.append(EEG().sources(tmp_path)[0].key)
    assert len(set(keys)) == 4


def test_later_parts_covariances_and_hidden_files_are_no_sources(tmp_path, make_raw):
    raw = make_raw()
    for name in ("a_raw.fif", "a-ave.fif", "b-cov.fif", ".hidden_raw.fif"):
        raw.save(tmp_path / name, verbose="error")
    raw.save(tmp_path / "a_raw-1.fif", verbose="error")
    assert [source.path.name for source in EEG().sources(tmp_path)] == ["a_raw.fif"]
    assert MEG().sources(tmp_path) == []


@pytest.mark.parametrize("naming", ["neuromag", "bids"])
def test_a_file_in_parts_is_one_source_that_changes_with_each(tmp_path, make_raw, naming):
    raw = make_raw(sfreq=1000.0, seconds=200.0)
    raw.save(tmp_path / "sub-1_eeg.fif", split_size="2MB", split_naming=naming, verbose="error")
    [source] = EEG().sources(tmp_path)
    assert sorted(source.paths) == sorted(tmp_path.iterdir())
    assert len(source.paths) > 2
    key = source.key
    os.utime(source.paths[-1], ns=(0, 0))
    assert EEG().sources(tmp_path)[0].key != key


def test_two_files_of_one_name_are_refused(tmp_path, make_raw):
    for folder in ("x", "y"):
        (tmp_path / folder).mkdir()
        make_raw().export(tmp_path / folder / "a.edf", verbose="error")
    with pytest.raises(ValueError, match=r"would both be .*pattern"):
        EEG().sources(tmp_path)
    (tmp_path / "brainfm.yaml").write_text('pattern: "{session}/{subject}.edf"\n')
    assert [source.entities["session"] for source in EEG().sources(tmp_path)] == ["x", "y"]


def test_the_status_channel_of_a_bdf_gives_codes_and_is_no_signal(tmp_path):
    status = np.zeros(1000)
    status[200:210], status[500:510] = 5, 7
    whole = {"physical_range": (-8388608, 8388607), "digital_range": (-8388608, 8388607)}
    eeg = BdfSignal(
        np.random.default_rng(0).normal(0, 20, 1000),
        100,
        label="Cz",
        physical_dimension="uV",
        physical_range=(-500, 500),
    )
    Bdf([eeg, BdfSignal(status, 100, label="Status", **whole)]).write(tmp_path / "a.bdf")
    recording = _only(tmp_path)
    assert (recording.ch_names, dict(recording.streams)) == (("Cz",), {})
    assert recording.events["value"].tolist() == [5, 7]
    np.testing.assert_allclose(recording.events["onset"], [2.0, 5.0])


def test_markers_scaled_like_a_voltage_are_a_stream_not_codes(tmp_path, make_raw):
    make_raw(["Cz", "Markers"]).export(tmp_path / "a.edf", verbose="error")
    recording = _only(tmp_path)
    assert recording.streams["misc"].names == ("Markers",)
    assert recording.events.empty


def test_stimulus_channels_beside_other_events_are_told_to_be_left_out(tmp_path, make_raw):
    raw = make_raw(["Cz", "STI 014"], ["eeg", "stim"])
    raw.set_annotations(mne.Annotations([1.0], [0], ["word"]))
    raw.save(tmp_path / "a_raw.fif", verbose="error")
    assert "stimulus channels are left out: STI 014" in _only(tmp_path).decisions
