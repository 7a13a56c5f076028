"""The MEG reader on files that MNE wrote and on a real one."""

import mne
import numpy as np
import pytest

from data_loaders.modalities.eeg import EEG
from data_loaders.modalities.meg import MEG

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning:mne")


def _meg(tmp_path, make_raw, scale=1.0):
    raw = make_raw(["MEG 0111", "MEG 0112", "EEG 001", "EOG 061"], ["mag", "grad", "eeg", "eog"], seconds=5)
    raw._data[:2] *= [[1e-7 * scale], [1e-6 * scale]]
    raw.save(tmp_path / "a_raw.fif", verbose="error")
    return raw


def test_a_file_with_meg_channels_belongs_to_meg_alone(tmp_path, make_raw):
    _meg(tmp_path, make_raw)
    assert EEG().sources(tmp_path) == []
    assert [source.modality for source in MEG().sources(tmp_path)] == ["meg"]


def test_magnetometers_gradiometers_and_eeg_are_signal_each_in_its_unit(tmp_path, make_raw):
    raw = _meg(tmp_path, make_raw)
    recording = MEG().read(MEG().sources(tmp_path)[0])
    assert recording.ch_types == ("mag", "grad", "eeg")
    assert recording.units == ("T", "T/m", "V")
    assert recording.ch_names == ("MEG 0111", "MEG 0112", "EEG 001")
    np.testing.assert_allclose(recording.signal.T, raw.get_data([0, 1, 2]), rtol=1e-6)
    assert recording.streams["eog"].names == ("EOG 061",)


def test_femtotesla_passed_off_as_tesla_are_refused(tmp_path, make_raw):
    _meg(tmp_path, make_raw, scale=1e15)
    with pytest.raises(ValueError, match=r"mag channels.*likely fT.*scale: 1e-15"):
        MEG().read(MEG().sources(tmp_path)[0])


def test_sensors_are_placed_in_head_coordinates(shared_data):
    recording = MEG().read(MEG().sources(shared_data("mne_meg_sample") / "sample_audvis_24s_raw.fif")[0])
    info = mne.io.read_info(shared_data("mne_meg_sample") / "sample_audvis_24s_raw.fif", verbose="error")
    expected = mne.transforms.apply_trans(info["dev_head_t"], info["chs"][0]["loc"][:3])
    np.testing.assert_allclose(recording.ch_positions[0], expected, atol=1e-7)
    assert {kind: recording.ch_types.count(kind) for kind in set(recording.ch_types)} == {
        "grad": 204,
        "mag": 102,
        "eeg": 60,
    }


def test_a_real_fif_keeps_its_integers_and_its_stimuli(shared_data):
    path = shared_data("mne_meg_sample") / "sample_audvis_24s_raw.fif"
    recording = MEG().read(MEG().sources(path)[0])
    raw = mne.io.read_raw_fif(path, verbose="error")
    steps = (recording.signal - recording.offset) / recording.gain
    assert np.abs(steps - np.round(steps)).max() < 1e-3
    np.testing.assert_allclose(recording.signal[:100].T, raw.get_data(list(recording.ch_names), 0, 100), rtol=1e-12)
    found = mne.find_events(raw, verbose="error")
    np.testing.assert_allclose(recording.events["onset"], (found[:, 0] - raw.first_samp) / raw.info["sfreq"])
    assert recording.events["value"].tolist() == found[:, 2].tolist()
    assert any("3 projections in the file are not applied" in decision for decision in recording.decisions)


def test_a_ctf_folder_is_one_source_and_a_broken_one_is_refused(tmp_path):
    (tmp_path / "rest.ds" / "inner").mkdir(parents=True)
    (tmp_path / "rest.ds" / "rest.meg4").write_bytes(bytes(100))
    (tmp_path / "rest.ds" / "inner" / "other_raw.fif").write_bytes(bytes(100))
    assert EEG().sources(tmp_path) == []
    sources = MEG().sources(tmp_path)
    assert [source.path.name for source in sources] == ["rest.ds"]
    assert [source.path.name for source in MEG().sources(tmp_path / "rest.ds")] == ["rest.ds"]
    with pytest.raises(ValueError, match=r"rest\.ds cannot be read .*exclude: \[rest\.ds\]"):
        MEG().read(sources[0])
    before = sources[0].key
    (tmp_path / "rest.ds" / "rest.meg4").write_bytes(bytes(101))
    assert MEG().sources(tmp_path)[0].key != before
