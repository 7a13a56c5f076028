"""HDF5 files of CaImAn, written by h5py in its layout: traces, verdicts, scores, centres and rates."""

import re

import h5py
import numpy as np
import pytest

from tests.data_loaders.modalities.cells import caiman, only


def test_caiman_gives_accepted_components_with_scores_and_centres(tmp_path):
    made = caiman(tmp_path / "m1.hdf5")
    recording = only(tmp_path, {"calcium": {"um_per_pixel": 1.0, "also": ["S"]}})
    assert (recording.subject, recording.sfreq) == ("m1", 10.0)
    np.testing.assert_array_equal(recording.signal, made["C"][[0, 2, 3]].T)
    np.testing.assert_array_equal(recording.streams["S"].values, made["S"][[0, 2, 3]].T)
    assert recording.ch_columns["snr"] == (3.0, 2.0, 5.0)
    np.testing.assert_allclose(recording.ch_positions * 1e6, [[0, 0, 0], [2, 3, 0], [4, 1, 0]])
    assert any("keep accepted 1: 3 of 4 cells" in decision for decision in recording.decisions)
    ratio = only(tmp_path, {"calcium": {"traces": "F_dff"}, "keep": {"snr": {"min": 2.5}, "accepted": 1}})
    np.testing.assert_array_equal(ratio.signal, made["F_dff"][[0, 3]].T)
    assert ratio.units == ("dF/F",) * 2


@pytest.mark.parametrize(
    ("verdict", "cells", "told"),
    [
        (np.array([True, False, True, True]), 3, "keep accepted 1: 3 of 4"),
        ("NoneType", 4, "all components come in.*says nothing"),
        (None, 4, "all components come in.*is no list of numbers"),
    ],
)
def test_the_verdict_of_caiman_is_taken_as_a_mask_too_and_a_missing_one_told(tmp_path, verdict, cells, told):
    caiman(tmp_path / "m1.hdf5", fr=None)
    with h5py.File(tmp_path / "m1.hdf5", "a") as file:
        del file["estimates/idx_components"]
        file["params/data/fr"] = np.array([10.0])
        if verdict is None:
            file["estimates/idx_components/0"] = 2
        else:
            file["estimates/idx_components"] = verdict
    recording = only(tmp_path)
    assert (len(recording.ch_names), recording.sfreq) == (cells, 10.0)
    assert any(re.search(told, decision) for decision in recording.decisions)


def test_caiman_without_a_rate_asks_for_it(tmp_path):
    caiman(tmp_path / "m1.hdf5", fr=None)
    with pytest.raises(ValueError, match=r"m1.hdf5 does not say.*add `sfreq: 30`"):
        only(tmp_path)
