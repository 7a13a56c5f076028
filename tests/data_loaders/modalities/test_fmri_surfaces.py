"""fMRI on surfaces: CIFTI and GIFTI as nibabel writes them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data_loaders.formats import space
from tests.data_loaders.modalities.scans import AFFINE, SHAPE, nib, read

axes: Any = nib.cifti2


def dense(path: Path, n_volumes=10, step=1.5, unit="SECOND") -> np.ndarray:
    models = axes.BrainModelAxis.from_surface([0, 2, 5], 8, "CortexLeft") + axes.BrainModelAxis.from_surface(
        [1, 3], 8, "CortexRight"
    )
    voxels = np.zeros(SHAPE, bool)
    voxels[1, 2, 3] = voxels[2, 2, 3] = True
    models += axes.BrainModelAxis.from_mask(voxels, "thalamus_left", AFFINE)
    data = np.random.default_rng(0).standard_normal((n_volumes, 7)).astype(np.float32)
    nib.save(axes.Cifti2Image(data, (axes.SeriesAxis(0, step, n_volumes, unit), models)), path)
    return data


def test_grayordinates_come_back_named_and_voxels_placed(tmp_path):
    data = dense(tmp_path / "S1.dtseries.nii")
    found = read(tmp_path)
    np.testing.assert_array_equal(found.signal, data)
    assert found.ch_names == ("CORTEX_LEFT:0", "CORTEX_LEFT:2", "CORTEX_LEFT:5", "CORTEX_RIGHT:1", "CORTEX_RIGHT:3",
                              "THALAMUS_LEFT:1,2,3", "THALAMUS_LEFT:2,2,3")  # fmt: skip
    assert 1 / found.sfreq == pytest.approx(1.5)
    np.testing.assert_allclose(found.ch_positions[5], [0.037, -0.024, 0.017])
    assert np.isnan(found.ch_positions[:5]).all()
    image = space.to_image(found.space, data[0])
    np.testing.assert_array_equal(image.get_fdata()[0], data[0])


def test_parcel_series_come_back_by_name(tmp_path):
    parcels = axes.ParcelsAxis.from_brain_models(
        [
            ("left", axes.BrainModelAxis.from_surface([0, 1], 4, "CortexLeft")),
            ("right", axes.BrainModelAxis.from_surface([2], 4, "CortexRight")),
        ]
    )
    data = np.random.default_rng(0).standard_normal((5, 2)).astype(np.float32)
    nib.save(axes.Cifti2Image(data, (axes.SeriesAxis(0, 0.72, 5), parcels)), tmp_path / "S1.ptseries.nii")
    found = read(tmp_path)
    assert (found.ch_names, round(1 / found.sfreq, 9)) == (("left", "right"), 0.72)
    np.testing.assert_array_equal(found.signal, data)


def test_dlabel_averages_grayordinates(tmp_path):
    data = dense(tmp_path / "S1.dtseries.nii")
    models = nib.load(tmp_path / "S1.dtseries.nii").header.get_axis(1)
    kinds = axes.LabelAxis(["atlas"], [{0: ("???", (0, 0, 0, 0)), 1: ("V1", (1, 0, 0, 1)), 2: ("Thal", (0, 1, 0, 1))}])
    nib.save(
        axes.Cifti2Image(np.array([[1, 1, 0, 1, 0, 2, 2]], np.float32), (kinds, models)), tmp_path / "atlas.dlabel.nii"
    )
    found = read(tmp_path, modality="fmri", parcellation="atlas.dlabel.nii")
    assert found.ch_names == ("V1", "Thal")
    np.testing.assert_allclose(found.signal, np.stack([data[:, [0, 1, 3]].mean(1), data[:, 5:].mean(1)], 1), rtol=1e-5)


def gifti(path: Path, data: np.ndarray, side="L") -> np.ndarray:
    arrays = [nib.gifti.GiftiDataArray(row.astype(np.float32), intent="NIFTI_INTENT_TIME_SERIES") for row in data]
    meta = nib.gifti.GiftiMetaData({"AnatomicalStructurePrimary": "CortexLeft" if side == "L" else "CortexRight"})
    nib.save(nib.gifti.GiftiImage(darrays=arrays, meta=meta), path)
    return data.astype(np.float32)


@pytest.mark.parametrize("name", ["S1_hemi-{}_bold.func.gii", "S1.{}.func.gii"])
def test_hemispheres_are_joined(tmp_path, name):
    rng = np.random.default_rng(0)
    left, right = (
        gifti(tmp_path / name.format(side), rng.standard_normal((6, n)), side) for side, n in (("L", 4), ("R", 3))
    )
    found = read(tmp_path, modality="fmri", tr=2.0, subject="1")
    np.testing.assert_array_equal(found.signal, np.concatenate([left, right], axis=1))
    assert found.ch_names == ("L:0", "L:1", "L:2", "L:3", "R:0", "R:1", "R:2")
    assert found.ch_columns["hemisphere"] == ("left",) * 4 + ("right",) * 3
    images = space.to_image(found.space, found.signal[0])
    np.testing.assert_array_equal(images["right"].darrays[0].data, right[0])


def test_surfaces_place_vertices_in_metres_and_labels_average_them(tmp_path):
    values = gifti(tmp_path / "S1_hemi-L_bold.func.gii", np.random.default_rng(0).standard_normal((6, 4)))
    points = np.arange(12.0, dtype=np.float32).reshape(4, 3)
    arrays = [nib.gifti.GiftiDataArray(points, intent="NIFTI_INTENT_POINTSET"),
              nib.gifti.GiftiDataArray(np.array([[0, 1, 2]], np.int32), intent="NIFTI_INTENT_TRIANGLE")]  # fmt: skip
    nib.save(nib.gifti.GiftiImage(darrays=arrays), tmp_path / "lh.surf.gii")
    stated = {"modality": "fmri", "tr": 2.0, "surfaces": {"left": "lh.surf.gii"}}
    np.testing.assert_allclose(read(tmp_path, **stated).ch_positions, points * 1e-3)
    table = nib.gifti.GiftiLabelTable()
    for key, name in ((0, "???"), (1, "V1"), (7, "MT")):
        label = nib.gifti.GiftiLabel(key=key)
        label.label = name
        table.labels.append(label)
    array = nib.gifti.GiftiDataArray(np.array([1, 7, 1, 0], np.int32), intent="NIFTI_INTENT_LABEL")
    nib.save(nib.gifti.GiftiImage(darrays=[array], labeltable=table), tmp_path / "lh.label.gii")
    found = read(tmp_path, **stated, parcellation={"left": "lh.label.gii"})
    assert found.ch_names == ("L:V1", "L:MT")
    np.testing.assert_allclose(found.signal, np.stack([values[:, [0, 2]].mean(1), values[:, 1]], 1), rtol=1e-5)


def test_hemispheres_of_two_runs_are_refused_and_a_lone_one_is_told(tmp_path):
    gifti(tmp_path / "S1_hemi-L_bold.func.gii", np.ones((6, 4)))
    assert "only the left hemisphere is there" in read(tmp_path, modality="fmri", tr=2.0).decisions
    gifti(tmp_path / "S1_hemi-R_bold.func.gii", np.ones((5, 4)))
    with pytest.raises(ValueError, match="not of one run"):
        read(tmp_path)


def test_gifti_without_a_repetition_time_is_asked_about(tmp_path):
    gifti(tmp_path / "S1_hemi-L_bold.func.gii", np.ones((6, 4)))
    with pytest.raises(ValueError, match="how many seconds"):
        read(tmp_path, modality="fmri")
