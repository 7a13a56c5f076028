"""fMRI by parcels and without confounds: as nilearn takes means and cleans; what does not fit is refused by name."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data_loaders.formats import space
from tests.data_loaders.modalities.scans import AFFINE, SHAPE, nib, nifti, read, series


def labels_image(path: Path, seed=1, affine=AFFINE, shape=SHAPE) -> np.ndarray:
    labels = np.random.default_rng(seed).integers(0, 4, shape).astype(np.int16)
    nifti(path, labels, affine=affine)
    return labels


def test_parcels_are_the_means_that_nilearn_takes(tmp_path):
    from nilearn.regions import img_to_signals_labels

    path = nifti(tmp_path / "S1.nii.gz", series(dtype=np.float32))
    labels_image(tmp_path / "atlas.nii.gz")
    found = read(tmp_path, modality="fmri", mask="all", parcellation="atlas.nii.gz", parcel_names=["V1", "V2", "MT"])
    theirs, *_ = img_to_signals_labels(nib.load(path), nib.load(tmp_path / "atlas.nii.gz"))
    np.testing.assert_allclose(found.signal, theirs, rtol=1e-5)
    assert found.ch_names == ("V1", "V2", "MT")


def test_a_value_per_parcel_becomes_an_image_again(tmp_path):
    nifti(tmp_path / "S1.nii.gz", series())
    labels = labels_image(tmp_path / "atlas.nii.gz")
    found = read(tmp_path, modality="fmri", mask="all", parcellation="atlas.nii.gz")
    image = space.to_image(found.space, np.array([10.0, 20.0, 30.0]))
    np.testing.assert_array_equal(image.get_fdata(), labels * 10.0)
    np.testing.assert_array_equal(image.affine, AFFINE)


def test_names_of_parcels_come_from_the_table_beside_the_atlas(tmp_path):
    nifti(tmp_path / "S1.nii.gz", series())
    labels_image(tmp_path / "atlas.nii.gz")
    pd.DataFrame({"index": [0, 1, 2, 3, 4], "name": ["air", "a", "b", "c", "gone"]}).to_csv(
        tmp_path / "atlas.tsv", sep="\t", index=False
    )
    found = read(tmp_path, modality="fmri", mask="all", parcellation="atlas.nii.gz")
    assert found.ch_names == ("a", "b", "c", "gone")
    assert found.bads == ("gone",)
    assert not found.signal[:, 3].any()


def test_a_parcellation_on_another_grid_is_resampled_and_told_of_another_template_refused(tmp_path):
    nifti(tmp_path / "sub-1_space-MNI152NLin6Asym_bold.nii.gz", series())
    fine = AFFINE @ np.diag([0.5, 0.5, 0.5, 1])
    labels_image(tmp_path / "atlas.nii.gz", affine=fine, shape=tuple(2 * n for n in SHAPE))
    found = read(tmp_path, modality="fmri", mask="all", parcellation="atlas.nii.gz")
    assert any("resampled to the scan's grid by nearest neighbour" in decision for decision in found.decisions)
    labels_image(tmp_path / "tpl-MNI152NLin2009cAsym_atlas.nii.gz")
    with pytest.raises(ValueError, match=r"in the space MNI152NLin2009cAsym, the scan in MNI152NLin6Asym"):
        read(tmp_path, modality="fmri", mask="all", parcellation="tpl-MNI*_atlas.nii.gz")
    far = AFFINE.copy()
    far[:3, 3] += 1000
    labels_image(tmp_path / "far.nii.gz", affine=far)
    with pytest.raises(ValueError, match="no label where the scan has voxels"):
        read(tmp_path, modality="fmri", mask="all", parcellation="far.nii.gz", exclude=["tpl*", "atlas*"])


def test_confounds_and_filters_are_nilearns(tmp_path):
    from nilearn.signal import clean

    data, rng = series((*SHAPE, 60), np.float32), np.random.default_rng(3)
    nifti(tmp_path / "S1.nii.gz", data)
    motion = rng.standard_normal((60, 3))
    np.savetxt(tmp_path / "S1_motion.txt", motion)
    asked = {
        "confounds": {"file": "{subject}_motion.txt"},
        "detrend": True,
        "high_pass": 0.02,
        "standardize": "zscore_sample",
    }
    found = read(tmp_path, modality="fmri", mask="all", **asked)
    flat = data.reshape(-1, 60).T
    theirs = clean(flat, confounds=motion, detrend=True, high_pass=0.02, t_r=2.0, standardize="zscore_sample")
    np.testing.assert_allclose(found.signal, theirs, atol=1e-4)
    assert any("3 confounds of S1_motion.txt" in decision for decision in found.decisions)


def test_percent_signal_change_is_in_percent_of_the_mean(tmp_path):
    data = series((*SHAPE, 60), np.float32)
    nifti(tmp_path / "S1.nii.gz", data)
    found = read(tmp_path, modality="fmri", mask="all", standardize="psc")
    flat = data.reshape(-1, 60).T
    np.testing.assert_allclose(found.signal, 100 * (flat / flat.mean(0) - 1), atol=1e-3)
    assert set(found.units) == {"%"}


@pytest.mark.parametrize(
    ("asked", "match"),
    [
        ({"high_pass": 0.4}, "high_pass is 0.4 Hz, expected between 0 and 0.25"),
        ({"standardize": "z"}, "standardize is 'z'"),
        ({"confounds": "simple"}, "nilearn says"),
        ({"confounds": {"file": "missing.txt"}}, "confounds names 'missing.txt'"),
        ({"parcellation": "missing.nii"}, "parcellation names 'missing.nii'"),
        ({"mask": "missing.nii"}, "mask names 'missing.nii'"),
        ({"streams": {"rate": "missing.txt"}}, "streams.rate names 'missing.txt'"),
        ({"labels": {"file": "missing.txt"}}, "labels names 'missing.txt'"),
    ],
)
def test_options_that_cannot_be_are_refused_by_name(tmp_path, asked, match):
    nifti(tmp_path / "S1.nii.gz", series())
    with pytest.raises(ValueError, match=match):
        read(tmp_path, modality="fmri", **{"mask": "all"} | asked)


def test_confounds_of_another_run_are_refused(tmp_path):
    nifti(tmp_path / "S1.nii.gz", series())
    np.savetxt(tmp_path / "c.txt", np.ones((11, 2)))
    with pytest.raises(ValueError, match="have 11 rows, it has 12 volumes"):
        read(tmp_path, modality="fmri", mask="all", confounds={"file": "c.txt"})
