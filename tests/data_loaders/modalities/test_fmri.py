"""fMRI: what nibabel, nilearn and pandas wrote comes back equal in value, time, names, positions; what cannot be right is asked about."""

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from data_loaders.formats import space
from data_loaders.formats.nifti import header_of
from data_loaders.modalities.fmri import FMRI
from data_loaders.prepare import prepare
from data_loaders.store import Store

nib: Any = pytest.importorskip("nibabel")
axes: Any = nib.cifti2
AFFINE = np.array([[-3.0, 0.0, 0.0, 40.0], [0.0, 3.0, 0.0, -30.0], [0.0, 0.0, 4.0, 5.0], [0.0, 0.0, 0.0, 1.0]])
SHAPE = (6, 5, 4)


def series(shape=(*SHAPE, 12), dtype: Any = np.int16, seed=0) -> np.ndarray:
    values = 500 + 50 * np.random.default_rng(seed).standard_normal(shape)
    return values.astype(dtype)


def nifti(
    path: Path, data: np.ndarray, tr: float = 2.0, units=("mm", "sec"), slope=None, affine=AFFINE, klass=None
) -> Path:
    image = (klass or nib.Nifti1Image)(data, affine)
    image.header.set_data_dtype(data.dtype)
    if slope is not None:
        image.header.set_slope_inter(*slope)
    image.header["pixdim"][4] = tr
    image.header.set_xyzt_units(*units)
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(image, path)
    return path


def read(root: Path, **sidecar: Any) -> Any:
    """The one recording below a folder."""
    if sidecar:
        folder = root if root.is_dir() else root.parent
        (folder / "brainfm.yaml").write_text(yaml.safe_dump(sidecar))
    reader = FMRI()
    (source,) = reader.sources(root)
    return reader.read(source)


@pytest.mark.parametrize("name", ["S1.nii", "S1.nii.gz"])
@pytest.mark.parametrize("klass", [nib.Nifti1Image, nib.Nifti2Image])
def test_voxels_come_back_in_value_time_name_and_place(tmp_path, name, klass):
    data = series()
    nifti(tmp_path / name, data, klass=klass)
    found = read(tmp_path, modality="fmri", mask="all")
    assert found.ch_names[:2] == ("0,0,0", "0,0,1")
    assert (found.sfreq, found.duration, set(found.units)) == (0.5, 24.0, {"n/a"})
    np.testing.assert_array_equal(found.signal, data.reshape(-1, 12).T)
    at = found.ch_names.index("2,3,1")
    np.testing.assert_allclose(found.ch_positions[at], [0.034, -0.021, 0.009], atol=1e-12)


@pytest.mark.parametrize(
    ("dtype", "slope"), [(np.int16, None), (np.int16, (0.25, -3.0)), (np.uint8, (2.0, 1.0)), (np.uint16, None)]
)
def test_whole_numbers_stay_whole_in_the_store(tmp_path, dtype, slope):
    rng = np.random.default_rng(0)
    info = np.iinfo(dtype)
    data = rng.integers(info.min, info.max, (*SHAPE, 9), endpoint=True).astype(dtype)
    image = nib.Nifti1Image(data, AFFINE)
    nifti(tmp_path / "in" / "S1.nii.gz", data, slope=slope)
    # nibabel divides by the slope when it saves: the numbers of the file are what nibabel reads back
    truth = np.asarray(nib.load(tmp_path / "in" / "S1.nii.gz").dataobj).reshape(-1, 9).T
    (tmp_path / "in" / "brainfm.yaml").write_text("modality: fmri\nmask: all\n")
    store = Store(prepare(tmp_path / "in", tmp_path / "store"))
    assert store.entry(0).extents["signal"].dtype == "<i2"
    np.testing.assert_allclose(store.signal(0, 0, 9), truth, rtol=1e-6)
    assert image.shape == (*SHAPE, 9)


def test_real_numbers_are_float32(tmp_path):
    data = series(dtype=np.float32)
    nifti(tmp_path / "S1.nii.gz", data)
    found = read(tmp_path, modality="fmri", mask="all")
    assert found.gain is None
    np.testing.assert_array_equal(found.signal, data.reshape(-1, 12).T)


@pytest.mark.parametrize(
    ("tr", "units", "seconds"),
    [(2000.0, "msec", 2.0), (1.35, "sec", 1.35), (2_500_000.0, "usec", 2.5), (2.5, "unknown", 2.5)],
)
def test_the_repetition_time_is_read_with_its_unit(tmp_path, tr, units, seconds):
    nifti(tmp_path / "S1.nii.gz", series(), tr, ("mm", units))
    found = read(tmp_path, modality="fmri", mask="all")
    assert 1 / found.sfreq == pytest.approx(seconds, rel=1e-9)
    assert any("repetition time" in d for d in found.decisions) == (units != "sec")


@pytest.mark.parametrize(
    ("tr", "units"),
    [(0.0, "sec"), (1.0, "unknown"), (0.0, "unknown"), (2000.0, "sec"), (2.0, "msec"), (2.0, "usec"), (2.0, "hz")],
)
def test_an_absurd_repetition_time_is_asked_about(tmp_path, tr, units):
    nifti(tmp_path / "S1.nii.gz", series(), tr, ("mm", units))
    with pytest.raises(ValueError, match=r"S1.nii.gz: how many seconds.*header says.*state for example `tr: 2.0`"):
        read(tmp_path, modality="fmri", mask="all")
    assert read(tmp_path, modality="fmri", mask="all", tr=1.5).sfreq == pytest.approx(1 / 1.5)


def test_a_sidecar_that_overrules_the_header_is_told(tmp_path):
    nifti(tmp_path / "S1.nii.gz", series(), 2.0)
    found = read(tmp_path, modality="fmri", mask="all", tr=3.0)
    assert "the repetition time is 3 s by the sidecar, though its header says 2 s" in found.decisions


def test_a_repetition_time_in_milliseconds_in_the_sidecar_is_refused(tmp_path):
    nifti(tmp_path / "S1.nii.gz", series())
    with pytest.raises(ValueError, match="2000 ms would be 2"):
        read(tmp_path, modality="fmri", mask="all", tr=2000)


def head() -> tuple[np.ndarray, np.ndarray]:
    """A bright ball in dark air, and where it is."""
    grid = np.indices((30, 30, 30)) - 14.5
    ball = (grid**2).sum(0) < 100
    data = np.random.default_rng(0).normal(20, 5, (30, 30, 30, 6)) + 800 * ball[..., None]
    return data.astype(np.int16), ball


def test_a_head_is_masked_as_nilearn_masks_it(tmp_path):
    from nilearn.masking import compute_epi_mask

    data, ball = head()
    path = nifti(tmp_path / "S1.nii.gz", data)
    found = read(tmp_path, modality="fmri")
    theirs = np.asarray(compute_epi_mask(nib.load(path)).dataobj).astype(bool)
    assert set(found.ch_names) == {",".join(map(str, v)) for v in np.argwhere(theirs).tolist()}
    assert 0.8 * ball.sum() < len(found.ch_names) < 1.2 * ball.sum()
    assert any("compute_epi_mask" in decision for decision in found.decisions)


def test_a_given_mask_picks_its_voxels_and_another_grid_is_refused(tmp_path):
    data = series()
    nifti(tmp_path / "S1.nii.gz", data)
    inside = np.zeros(SHAPE, np.uint8)
    inside[1:3, 2, 3] = 1
    nifti(tmp_path / "mask.nii.gz", inside)
    found = read(tmp_path, modality="fmri", mask="mask.nii.gz")
    assert found.ch_names == ("1,2,3", "2,2,3")
    np.testing.assert_array_equal(found.signal, data[1:3, 2, 3].T)
    moved = AFFINE.copy()
    moved[0, 3] += 1
    nifti(tmp_path / "mask.nii.gz", inside, affine=moved)
    with pytest.raises(ValueError, match=r"mask.nii.gz is on another grid.*resample_to_img"):
        read(tmp_path)
    nifti(tmp_path / "mask.nii.gz", inside[:-1])
    with pytest.raises(ValueError, match="on another grid"):
        read(tmp_path)


def test_a_small_volume_keeps_what_varies_and_an_empty_mask_is_an_error(tmp_path):
    data = series()
    data[0, 0, 0] = 7
    nifti(tmp_path / "S1.nii.gz", data)
    found = read(tmp_path, modality="fmri")
    assert "0,0,0" not in found.ch_names
    assert len(found.ch_names) == np.prod(SHAPE) - 1
    nifti(tmp_path / "S1.nii.gz", np.full_like(data, 3))
    with pytest.raises(ValueError, match="no voxel is"):
        read(tmp_path)


def test_constant_voxels_of_a_mask_are_bad_and_missing_values_are_cut(tmp_path):
    data = series(dtype=np.float32)
    data[0, 0, 0], data[0, 0, 1] = 5.0, np.nan
    data[1, 1, 1, 4] = np.nan
    nifti(tmp_path / "S1.nii.gz", data)
    found = read(tmp_path, modality="fmri", mask="all")
    assert set(found.bads) == {"0,0,0", "0,0,1"}
    np.testing.assert_allclose(found.segments, [[0, 8], [10, 24]])
    assert np.isfinite(found.signal).all()


def test_a_single_volume_is_one_repetition_long_and_told(tmp_path):
    nifti(tmp_path / "S1.nii.gz", series(SHAPE))
    with pytest.raises(ValueError, match="3-D image has no repetition time"):
        read(tmp_path, modality="fmri", mask="all")
    found = read(tmp_path, modality="fmri", mask="all", tr=2.0)
    assert found.duration == 2.0
    assert any(decision.startswith("one volume") for decision in found.decisions)


def test_without_a_sidecar_only_series_are_recordings(tmp_path):
    nifti(tmp_path / "anat.nii.gz", series(SHAPE))
    nifti(tmp_path / "S1_bold.nii.gz", series())
    (source,) = FMRI().sources(tmp_path)
    assert (source.path.name, source.entities["subject"]) == ("S1_bold.nii.gz", "S1")


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


def test_one_label_per_volume_makes_events_and_runs(tmp_path):
    nifti(tmp_path / "S1.nii.gz", series())
    kinds = ["rest", "rest", "face", "face", "rest", "cat", "cat", "cat", "rest", "face", "rest", "rest"]
    pd.DataFrame({"k": kinds, "r": [0] * 7 + [1] * 5}).to_csv(
        tmp_path / "attributes.txt", sep=" ", header=False, index=False
    )
    stated = {"file": "attributes.txt", "columns": ["trial_type", "chunk"], "segment": "chunk", "ignore": ["rest"]}
    found = read(tmp_path, modality="fmri", mask="all", labels=stated)
    # the block of cats crosses the border of the runs, and is cut there
    assert found.events["trial_type"].tolist() == ["face", "cat", "cat", "face"]
    np.testing.assert_allclose(found.events["onset"], [4, 10, 14, 18])
    np.testing.assert_allclose(found.events["duration"], [4, 4, 2, 2])
    np.testing.assert_allclose(found.segments, [[0, 14], [14, 24]])
    assert found.events["chunk"].tolist() == [0, 0, 1, 1]


def test_labels_of_another_length_are_refused(tmp_path):
    nifti(tmp_path / "S1.nii.gz", series())
    (tmp_path / "a.txt").write_text("rest 0\nface 0\n")
    with pytest.raises(ValueError, match="2 rows of labels, but the scan has 12 volumes"):
        read(tmp_path, modality="fmri", mask="all", labels={"file": "a.txt", "columns": ["trial_type", "chunk"]})


def test_streams_keep_their_clock_and_a_length_that_nobody_explains_is_asked_about(tmp_path):
    nifti(tmp_path / "S1.nii.gz", series())
    np.savetxt(tmp_path / "motion.txt", np.arange(28.0).reshape(14, 2))
    with pytest.raises(ValueError, match=r"14 rows.*12 volumes.*`start: -4`"):
        read(tmp_path, modality="fmri", mask="all", streams={"motion": "motion.txt"})
    found = read(
        tmp_path,
        modality="fmri",
        mask="all",
        streams={"motion": {"file": "motion.txt", "start": -4, "names": ["x", "y"], "unit": "mm"}},
    )
    motion = found.streams["motion"]
    assert (motion.start, motion.sfreq, motion.names, motion.unit) == (-4.0, 0.5, ("x", "y"), "mm")
    np.testing.assert_array_equal(motion.values[:, 1], np.arange(1.0, 28.0, 2))


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


def test_one_recording_is_in_memory_at_a_time_and_only_its_mask(tmp_path):
    import tracemalloc

    shape = (40, 40, 20, 50)
    data = np.zeros(shape, np.float32)
    data[10:14, 10:14, 10:14] = series((4, 4, 4, 50), np.float32)
    for i in range(3):
        nifti(tmp_path / f"S{i}.nii.gz", data)
    (tmp_path / "brainfm.yaml").write_text("modality: fmri\nmask: varying\n")
    reader = FMRI()
    tracemalloc.start()
    for source in reader.sources(tmp_path):
        assert len(reader.read(source).ch_names) == 64
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # the whole series would be 6.4 MB, of which 64 voxels are read volume by volume
    assert peak < 4e6


def test_a_checksum_at_the_end_of_a_gz_is_compared(tmp_path):
    path = nifti(tmp_path / "S1.nii.gz", series())
    raw = bytearray(path.read_bytes())
    raw[-6] ^= 1
    path.write_bytes(raw)
    with pytest.raises(ValueError, match=r"S1.nii.gz cannot be read \(BadGzipFile"):
        read(tmp_path, modality="fmri", mask="all")


def test_bytes_behind_the_last_volume_are_told_and_whole_volumes_refused(tmp_path):
    path = nifti(tmp_path / "S1.nii.gz", series())
    whole = gzip.decompress(path.read_bytes())
    path.write_bytes(gzip.compress(whole + bytes(100)))
    assert "100 bytes behind the last volume are left alone" in read(tmp_path, modality="fmri", mask="all").decisions
    path.write_bytes(gzip.compress(whole + bytes(header_of(path).volume_bytes)))
    with pytest.raises(ValueError, match="more than the 12 volumes"):
        read(tmp_path)
