"""Whose a recording is, outside a BIDS dataset: names as BIDS writes them are read by every reader, a guess is told by every reader."""

from pathlib import Path

import h5py
import numpy as np
import pytest
import yaml

from data_loaders.modalities.base import Reader
from data_loaders.modalities.calcium import Calcium
from data_loaders.modalities.eeg import EEG
from data_loaders.modalities.fmri import FMRI
from data_loaders.modalities.spikes import Spikes
from tests.data_loaders.modalities.scans import nifti, series
from tests.data_loaders.modalities.sorted_spikes import nwb


def written(folder: Path, stem: str, kind: str, make_raw) -> Reader:
    """One small recording of a kind under a name."""
    stated = {}
    if kind == "eeg":
        make_raw().save(folder / f"{stem}_raw.fif", verbose="error")
    elif kind == "fmri":
        nifti(folder / f"{stem}_bold.nii", series())
        stated = {"modality": "fmri", "mask": "all"}
    elif kind == "spikes":
        np.savez(folder / f"{stem}.npz", spike_times=np.arange(9.0), spike_units=np.zeros(9, int))
        stated = {"modality": "spikes"}
    else:
        with h5py.File(folder / f"{stem}.hdf5", "w") as file:
            file["estimates/C"] = np.random.default_rng(0).random((3, 100))
            file["params/data/fr"] = 10.0
    if stated:
        (folder / "brainfm.yaml").write_text(yaml.safe_dump(stated))
    return {"eeg": EEG, "fmri": FMRI, "spikes": Spikes, "calcium": Calcium}[kind]()


@pytest.mark.parametrize("kind", ["eeg", "fmri", "spikes", "calcium"])
def test_a_name_as_bids_writes_it_tells_whose_a_file_is(tmp_path, make_raw, kind):
    reader = written(tmp_path, "sub-07_ses-2_task-rest_run-1_desc-x", kind, make_raw)
    [source] = reader.sources(tmp_path)
    recording = reader.read(source)
    assert (recording.subject, recording.session, recording.task, recording.run) == ("07", "2", "rest", "1")
    assert not any("taken from the file's name" in decision for decision in recording.decisions)


@pytest.mark.parametrize("kind", ["eeg", "fmri", "spikes", "calcium"])
def test_a_guess_of_whose_a_file_is_is_told(tmp_path, make_raw, kind):
    reader = written(tmp_path, "mia_day2", kind, make_raw)
    [source] = reader.sources(tmp_path)
    recording = reader.read(source)
    assert recording.subject == "mia_day2"
    assert any("taken from the file's name (mia_day2)" in decision for decision in recording.decisions)


def test_an_nwb_file_that_says_whose_it_is_is_believed(tmp_path):
    nwb(tmp_path / "a.nwb")
    [source] = Spikes().sources(tmp_path)
    recording = Spikes().read(source)
    assert recording.subject == "m1"
    assert not any("taken from the file's name" in decision for decision in recording.decisions)
