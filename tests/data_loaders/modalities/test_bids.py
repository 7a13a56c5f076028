"""EEG and MEG in BIDS folders and derivatives that mne-bids wrote."""

import json

import mne
import mne_bids
import numpy as np
import pandas as pd
import pytest

from data_loaders.modalities.eeg import EEG
from data_loaders.modalities.meg import MEG

pytestmark = [
    pytest.mark.filterwarnings("ignore::RuntimeWarning:mne"),
    pytest.mark.filterwarnings("ignore::RuntimeWarning:mne_bids"),
    pytest.mark.filterwarnings("ignore:Converting data files to BrainVision:RuntimeWarning"),
    pytest.mark.filterwarnings("ignore:.*encountered data in.*:UserWarning"),
]


@pytest.fixture
def dataset(tmp_path, make_raw):
    """Two subjects, one session, one run each, with markers, a bad span, a bad channel, positions, an EOG.

    Temp1 is an electrode, though by its name it could be a thermometer.
    """
    for subject in ("01", "02"):
        raw = make_raw(["Fp1", "C3", "C4", "up", "Temp1"], ["eeg", "eeg", "eeg", "eog", "eeg"], seed=int(subject))
        raw.info["bads"] = ["C4"]
        raw.info["line_freq"] = 50
        positions = {name: np.array([0.01 * i, 0.02, 0.03]) for i, name in enumerate(raw.ch_names) if name != "up"}
        montage = mne.channels.make_dig_montage(
            positions, nasion=[0, 0.1, 0], lpa=[-0.08, 0, 0], rpa=[0.08, 0, 0], coord_frame="head"
        )
        raw.set_montage(montage)
        raw.set_annotations(mne.Annotations([1, 4, 6], [0.5, 1, 0.5], ["left/hand", "BAD_blink", "right/hand"]))
        path = mne_bids.BIDSPath(
            subject=subject, session="a", task="move", run="1", datatype="eeg", root=tmp_path / "ds"
        )
        mne_bids.write_raw_bids(raw, path, format="BrainVision", allow_preload=True, overwrite=True, verbose="error")
    people = pd.read_csv(tmp_path / "ds" / "participants.tsv", sep="\t")
    people.assign(age=[23, 31], group=["patient", "n/a"]).to_csv(
        tmp_path / "ds" / "participants.tsv", sep="\t", index=False
    )
    return tmp_path / "ds"


def _edit(path, **columns):
    pd.read_csv(path, sep="\t", keep_default_na=False).assign(**columns).to_csv(path, sep="\t", index=False)


def test_entities_types_bads_positions_events_and_people_come_from_the_dataset(dataset):
    events = dataset / "sub-01/ses-a/eeg/sub-01_ses-a_task-move_run-1_events.tsv"
    _edit(events, loudness=[1.5, 2.5, 3.5])
    sources = EEG().sources(dataset)
    assert [source.entities["subject"] for source in sources] == ["01", "02"]
    recording = EEG().read(sources[0])
    assert recording.name == "sub-01_ses-a_task-move_run-1"
    assert recording.study == "ds"
    assert recording.ch_names == ("Fp1", "C3", "C4", "Temp1")
    assert recording.streams["eog"].names == ("up",)
    assert recording.bads == ("C4",)
    np.testing.assert_allclose(recording.ch_positions[1], [0.01, 0.02, 0.03], atol=1e-6)
    assert recording.events["trial_type"].tolist() == ["left/hand", "right/hand"]
    assert recording.events["loudness"].tolist() == [1.5, 3.5]
    np.testing.assert_allclose(recording.events["onset"], [1, 6])
    np.testing.assert_allclose(recording.segments, [[0, 4], [5, 10]])
    assert recording.demographics["age"] == 23
    assert recording.demographics["group"] == "patient"


def test_missing_values_of_participants_are_left_out(dataset):
    assert "group" not in EEG().read(EEG().sources(dataset)[1]).demographics


def test_channels_tsv_overrules_the_file(dataset):
    table = dataset / "sub-01/ses-a/eeg/sub-01_ses-a_task-move_run-1_channels.tsv"
    _edit(table, type=["EEG", "MISC", "EEG", "EOG", "EEG"], status=["bad", "good", "good", "good", "good"])
    recording = EEG().read(EEG().sources(dataset)[0])
    assert recording.ch_names == ("Fp1", "C4", "Temp1")
    assert recording.bads == ("Fp1",)


def test_a_missing_events_file_is_told(dataset):
    (dataset / "sub-01/ses-a/eeg/sub-01_ses-a_task-move_run-1_events.tsv").unlink()
    recording = EEG().read(EEG().sources(dataset)[0])
    assert any("no events.tsv" in decision for decision in recording.decisions)


def test_an_event_after_the_end_is_dropped_and_told(dataset):
    _edit(dataset / "sub-01/ses-a/eeg/sub-01_ses-a_task-move_run-1_events.tsv", onset=[1.0, 4.0, 60.0])
    recording = EEG().read(EEG().sources(dataset)[0])
    assert recording.events["onset"].tolist() == [1.0]
    assert any("1 events outside the recording" in decision for decision in recording.decisions)


def test_the_key_changes_when_a_table_does(dataset):
    before = [source.key for source in EEG().sources(dataset)]
    _edit(dataset / "sub-01/ses-a/eeg/sub-01_ses-a_task-move_run-1_events.tsv", note="changed")
    after = [source.key for source in EEG().sources(dataset)]
    assert before[0] != after[0]
    assert before[1] == after[1]


def test_derivatives_are_a_dataset_of_their_own_that_knows_the_people(dataset, make_raw):
    pipeline = dataset / "derivatives" / "clean"
    folder = pipeline / "sub-01" / "ses-a" / "eeg"
    folder.mkdir(parents=True)
    description = {
        "Name": "clean",
        "BIDSVersion": "1.9.0",
        "DatasetType": "derivative",
        "GeneratedBy": [{"Name": "clean"}],
    }
    (pipeline / "dataset_description.json").write_text(json.dumps(description))
    raw = make_raw()
    raw.set_annotations(mne.Annotations([2], [0], ["tone"]))
    raw.save(folder / "sub-01_ses-a_task-move_proc-filt_raw.fif", verbose="error")
    epochs = mne.Epochs(
        raw, np.array([[300, 0, 1], [700, 0, 1]]), {"tone": 1}, -0.1, 0.4, baseline=None, preload=True, verbose="error"
    )
    epochs.save(folder / "sub-01_ses-a_task-move_proc-clean_epo.fif", verbose="error")
    assert len(EEG().sources(dataset)) == 2
    recordings = [EEG().read(source) for source in EEG().sources(pipeline)]
    assert {(r.subject, r.session, r.task, r.run) for r in recordings} == {
        ("01", "a", "move", "processing-clean_suffix-epo"), ("01", "a", "move", "processing-filt_suffix-raw"),
    }  # fmt: skip
    assert all(recording.demographics["age"] == 23 for recording in recordings)
    assert all(recording.events["trial_type"].unique() == ["tone"] for recording in recordings)


def test_tables_are_inherited_from_folders_above(dataset):
    events = dataset / "sub-01/ses-a/eeg/sub-01_ses-a_task-move_run-1_events.tsv"
    _edit(events, loudness=[1, 2, 3])
    events.rename(dataset / "task-move_events.tsv")
    (dataset / "sub-02/ses-a/eeg/sub-02_ses-a_task-move_run-1_events.tsv").unlink()
    for source in EEG().sources(dataset):
        assert dataset / "task-move_events.tsv" in source.paths
        events = EEG().read(source).events
        assert events["trial_type"].tolist() == ["left/hand", "right/hand"]
        assert events["loudness"].tolist() == [1, 3]


def test_meg_in_bids_belongs_to_meg(tmp_path, make_raw):
    raw = make_raw(["MEG 0111", "MEG 0112", "STI 014"], ["mag", "grad", "stim"], seconds=5)
    raw._data[:2] *= [[1e-7], [1e-6]]
    raw._data[2] = 0
    raw.info["line_freq"] = 50
    raw.save(tmp_path / "a_raw.fif", verbose="error")
    raw = mne.io.read_raw_fif(tmp_path / "a_raw.fif", verbose="error")
    path = mne_bids.BIDSPath(subject="01", task="rest", datatype="meg", root=tmp_path / "ds")
    mne_bids.write_raw_bids(raw, path, events=np.array([[100, 0, 3]]), event_id={"tone": 3}, verbose="error")
    assert EEG().sources(tmp_path / "ds") == []
    recording = MEG().read(MEG().sources(tmp_path / "ds")[0])
    assert recording.ch_types == ("mag", "grad")
    assert recording.events["trial_type"].tolist() == ["tone"]
    assert recording.events["value"].tolist() == [3]
