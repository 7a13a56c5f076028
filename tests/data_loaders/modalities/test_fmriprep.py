"""BIDS func folders and what fMRIPrep makes of them: JSON, events, masks, spaces, strategies of confounds."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from data_loaders.modalities.fmri import FMRI

nib: Any = pytest.importorskip("nibabel")
N, SHAPE = 40, (5, 4, 3)
RUN = "sub-01_task-look_run-1"


def bold(path: Path, n_volumes: int = N, tr: float = 2.0, seed: int = 0) -> None:
    data = (400 + 40 * np.random.default_rng(seed).standard_normal((*SHAPE, n_volumes))).astype(np.int16)
    image = nib.Nifti1Image(data, np.diag([3.0, 3.0, 3.0, 1.0]))
    image.header["pixdim"][4] = tr
    image.header.set_xyzt_units("mm", "sec")
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(image, path)


def described(root: Path, **more: Any) -> None:
    root.mkdir(parents=True, exist_ok=True)
    (root / "dataset_description.json").write_text(json.dumps({"Name": "d", "BIDSVersion": "1.9.0"} | more))


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """A raw dataset: one run with events, JSON at the root, a person."""
    root = tmp_path / "ds"
    described(root)
    bold(root / "sub-01" / "func" / f"{RUN}_bold.nii.gz")
    (root / "task-look_bold.json").write_text(json.dumps({"RepetitionTime": 2.0, "TaskName": "look"}))
    events = pd.DataFrame(
        {
            "onset": [4.0, 20.0, 90.0],
            "duration": [2.0, 2.0, 2.0],
            "trial_type": ["face", "house", "face"],
            "image": ["a", "b", "c"],
        }
    )
    events.to_csv(root / "sub-01" / "func" / f"{RUN}_events.tsv", sep="\t", index=False)
    pd.DataFrame({"participant_id": ["sub-01"], "age": [31], "sex": ["F"]}).to_csv(
        root / "participants.tsv", sep="\t", index=False
    )
    bold(root / "sub-01" / "anat" / "sub-01_T1w.nii.gz", 1)
    return root


@pytest.fixture
def prep(raw: Path) -> Path:
    """What fMRIPrep gives out below it: two volumes, one surface, grayordinates, confounds with a spike of motion."""
    root = raw / "derivatives" / "fmriprep"
    described(root, DatasetType="derivative", GeneratedBy=[{"Name": "fMRIPrep", "Version": "23.2.0"}])
    func = root / "sub-01" / "func"
    for seed, space in enumerate(("MNI152NLin2009cAsym", "T1w")):
        bold(func / f"{RUN}_space-{space}_desc-preproc_bold.nii.gz", seed=seed)
        (func / f"{RUN}_space-{space}_desc-preproc_bold.json").write_text(
            json.dumps({"RepetitionTime": 2.0, "StartTime": 1.0})
        )
        mask = np.zeros(SHAPE, np.uint8)
        mask[1:4, 1:3, 1] = 1
        nib.save(
            nib.Nifti1Image(mask, np.diag([3.0, 3.0, 3.0, 1.0])), func / f"{RUN}_space-{space}_desc-brain_mask.nii.gz"
        )
    for side, n in (("L", 4), ("R", 3)):
        rows = np.random.default_rng(n).standard_normal((N, n)).astype(np.float32)
        arrays = [nib.gifti.GiftiDataArray(row, intent="NIFTI_INTENT_TIME_SERIES") for row in rows]
        nib.save(nib.gifti.GiftiImage(darrays=arrays), func / f"{RUN}_hemi-{side}_space-fsaverage5_bold.func.gii")
    (func / f"{RUN}_space-fsaverage5_bold.json").write_text(json.dumps({"RepetitionTime": 2.0}))
    for den, size in (("91k", 6), ("170k", 9)):
        models = nib.cifti2.BrainModelAxis.from_surface(np.arange(size), 32, "CortexLeft")
        data = np.random.default_rng(size).standard_normal((N, size)).astype(np.float32)
        image = nib.cifti2.Cifti2Image(data, (nib.cifti2.SeriesAxis(0, 2.0, N), models))
        nib.save(image, func / f"{RUN}_space-fsLR_den-{den}_bold.dtseries.nii")
    confounds(func)
    return root


def confounds(func: Path, n_rows: int = N) -> pd.DataFrame:
    rng = np.random.default_rng(5)
    motion = ("trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z")
    table = pd.DataFrame({name: rng.standard_normal(n_rows) for name in motion})
    for name in motion:
        table[f"{name}_derivative1"] = table[name].diff()
        table[f"{name}_power2"] = table[name] ** 2
        table[f"{name}_derivative1_power2"] = table[name].diff() ** 2
    for name in ("white_matter", "csf", "cosine00"):
        table[name] = rng.standard_normal(n_rows)
    table["framewise_displacement"] = np.where(np.arange(n_rows) == 20, 2.0, 0.1)
    table["std_dvars"] = 1.0
    table["non_steady_state_outlier00"] = (np.arange(n_rows) == 0).astype(int)
    table.to_csv(func / f"{RUN}_desc-confounds_timeseries.tsv", sep="\t", index=False, na_rep="n/a")
    (func / f"{RUN}_desc-confounds_timeseries.json").write_text("{}")
    return table


def read(root: Path, **sidecar: Any) -> Any:
    (root / "brainfm.yaml").write_text(yaml.safe_dump(sidecar))
    reader = FMRI()
    (source,) = reader.sources(root)
    return reader.read(source)


def test_a_raw_run_brings_its_events_person_and_name(raw):
    found = read(raw, mask="all")
    assert found.name == "sub-01_task-look_run-1"
    assert found.events["trial_type"].tolist() == ["face", "house"]
    assert found.events["image"].tolist() == ["a", "b"]
    assert found.demographics == {"age": 31, "sex": "F"}
    assert any("1 events outside the recording of 80 s are dropped" in decision for decision in found.decisions)
    assert found.sfreq == 0.5


def test_json_and_header_must_agree_on_the_repetition_time(raw):
    (raw / "task-look_bold.json").write_text(json.dumps({"RepetitionTime": 2.2}))
    with pytest.raises(
        ValueError,
        match=r"RepetitionTime is 2.2 s in its JSON, but its header says 2 s: which is right\? State `tr: 2.2`",
    ):
        read(raw, mask="all")
    assert read(raw, mask="all", tr=2.2).sfreq == pytest.approx(1 / 2.2)


def test_the_json_answers_where_the_header_says_nothing(raw):
    bold(raw / "sub-01" / "func" / f"{RUN}_bold.nii.gz", tr=0.0)
    found = read(raw, mask="all")
    assert found.sfreq == 0.5
    assert "the repetition time is 2 s by the JSON; its header says 0 s" in found.decisions


def test_derivatives_are_another_dataset(prep):
    raw = prep.parents[1]
    assert [source.path.name for source in FMRI().sources(raw)] == [f"{RUN}_bold.nii.gz"]


def test_several_spaces_without_a_choice_are_asked_about(prep):
    with pytest.raises(ValueError, match=r"T1w.*fsLR:den-170k, fsLR:den-91k, fsaverage5: which one\?"):
        FMRI().sources(prep)
    with pytest.raises(ValueError, match="is asked for in fsLR, and is there in"):
        read(prep, space="fsLR")
    with pytest.raises(ValueError, match="is asked for in MNI, and is there in"):
        read(prep, space="MNI")


def test_a_volume_takes_the_brain_mask_the_events_of_the_raw_dataset_and_the_time_of_slices(prep):
    found = read(prep, space="MNI152NLin2009cAsym")
    assert len(found.ch_names) == 6
    assert any(decision.endswith("desc-brain_mask.nii.gz") for decision in found.decisions)
    # a volume stands for a second after its start: events are that much earlier
    assert found.events["onset"].tolist() == [3.0, 19.0]
    assert found.demographics["age"] == 31
    assert found.space["template"] == "MNI152NLin2009cAsym"
    assert found.gain is not None


def test_the_surface_and_the_grayordinates_can_be_chosen(prep):
    surface = read(prep, space="fsaverage5")
    assert (len(surface.ch_names), surface.space["parts"], surface.sfreq) == (7, {"left": 4, "right": 3}, 0.5)
    assert len(read(prep, space="fsLR:den-91k").ch_names) == 6
    assert len(read(prep, space="fsLR:den-170k").ch_names) == 9


def test_motion_is_a_stream_and_volumes_that_are_not_steady_are_cut(prep):
    found = read(prep, space="MNI152NLin2009cAsym")
    assert found.streams["motion"].names == ("trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z")
    np.testing.assert_allclose(found.segments, [[2, 80]])
    assert any("1 of 40 volumes are marked as not in steady state" in decision for decision in found.decisions)


def test_a_strategy_is_nilearns_and_scrubbed_volumes_are_cut(prep):
    from nilearn.interfaces.fmriprep import load_confounds_strategy
    from nilearn.signal import clean

    plain = read(prep, space="MNI152NLin2009cAsym")
    found = read(
        prep,
        space="MNI152NLin2009cAsym",
        confounds={"strategy": ["motion", "scrub"], "motion": "basic", "scrub": 0, "fd_threshold": 0.5},
    )
    np.testing.assert_allclose(found.segments, [[2, 40], [42, 80]])
    assert any("2 of 40 volumes are scrubbed" in decision for decision in found.decisions)
    image = str(next(prep.rglob("*MNI152NLin2009cAsym_desc-preproc_bold.nii.gz")))
    table, kept = load_confounds_strategy(image, denoise_strategy="simple", motion="basic")
    simple = read(
        prep, space="MNI152NLin2009cAsym", confounds={"strategy": ["motion", "high_pass", "wm_csf"], "motion": "basic"}
    )
    theirs = clean(
        plain.signal, confounds=table, sample_mask=kept, detrend=False, standardize=None, filter=False, t_r=2.0
    )
    np.testing.assert_allclose(simple.signal[1:], theirs, atol=1e-2)


def test_a_strategy_that_nilearn_does_not_know_is_refused_in_its_words(prep):
    with pytest.raises(ValueError, match="confounds 'best': nilearn says"):
        read(prep, space="T1w", confounds="best")


def test_confounds_of_another_run_are_refused(prep):
    confounds(prep / "sub-01" / "func", N - 1)
    with pytest.raises(ValueError, match=r"39 rows, .* has 40 volumes"):
        read(prep, space="T1w")
    with pytest.raises(ValueError, match="have 39 rows, it has 40 volumes"):
        read(prep, space="T1w", confounds="simple")


def test_a_broken_json_is_named(raw):
    (raw / "task-look_bold.json").write_text('{"RepetitionTime": 2.')
    with pytest.raises(ValueError, match=r"task-look_bold.json cannot be read"):
        read(raw, mask="all")
