"""fMRI volumes: what nibabel wrote comes back equal in value, time, names and positions; what cannot be right is asked about."""

import gzip

import numpy as np
import pandas as pd
import pytest

from data_loaders.formats.nifti import header_of
from data_loaders.modalities.fmri import FMRI
from data_loaders.prepare import prepare
from data_loaders.store import Store
from tests.data_loaders.modalities.scans import AFFINE, SHAPE, nib, nifti, read, series


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


def test_a_stream_that_drifts_is_detrended_where_the_sidecar_says_so(tmp_path):
    nifti(tmp_path / "S1.nii.gz", series())
    wave, time = np.sin(np.arange(12.0)), np.arange(12.0)
    drifting = np.column_stack([wave + 3 * time - 7, time])
    np.savetxt(tmp_path / "motion.txt", drifting)
    asked = {"motion": {"file": "motion.txt", "detrend": True}}
    found = read(tmp_path, modality="fmri", mask="all", streams=asked)
    expected = wave - np.polyval(np.polyfit(time, wave, 1), time)
    np.testing.assert_allclose(found.streams["motion"].values, np.column_stack([expected, 0 * time]), atol=1e-5)
    assert "a line is taken out of each column of the stream motion" in found.decisions
    drifting[3, 0] = np.nan
    np.savetxt(tmp_path / "motion.txt", drifting)
    with pytest.raises(
        ValueError, match=r"missing values, through which no line goes: leave detrend out of streams.motion"
    ):
        read(tmp_path, modality="fmri", mask="all", streams=asked)


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
