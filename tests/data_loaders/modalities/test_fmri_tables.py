"""Tables and arrays of regions: what pandas, numpy and scipy wrote comes back, and what is not said is asked for."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy.io import savemat

from data_loaders.modalities.fmri import FMRI

VALUES = np.random.default_rng(0).standard_normal((20, 3)).round(6)
NAMES = ["V1", "V2", "MT"]


def read(root: Path, **sidecar: Any) -> Any:
    (root / "brainfm.yaml").write_text(yaml.safe_dump({"modality": "fmri"} | sidecar))
    reader = FMRI()
    (source,) = reader.sources(root)
    return reader.read(source)


def written(path: Path) -> dict[str, Any]:
    """One file of every kind, and what its sidecar must say."""
    frame = pd.DataFrame(VALUES, columns=NAMES)
    if path.suffix == ".csv":
        frame.to_csv(path, index=False)
        return {}
    if path.suffix == ".tsv":
        frame.to_csv(path, index=False, sep="\t")
        return {}
    if path.suffix == ".txt":
        np.savetxt(path, VALUES)
        return {"axes": ["time", "channel"], "ch_names": NAMES}
    if path.suffix == ".mat":
        savemat(path, {"ROISignals": VALUES.T, "age": 7.0})
        return {"axes": ["channel", "time"], "ch_names": NAMES}
    np.savez(path, roi=VALUES, other=np.zeros((2, 2)), names=np.array(NAMES))
    return {"axes": ["time", "channel"], "ch_names": "names", "signal": "roi"}


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".txt", ".mat", ".npz"])
def test_regions_come_back_in_value_time_and_name(tmp_path, suffix):
    found = read(tmp_path, tr=1.5, **written(tmp_path / f"S1{suffix}"))
    np.testing.assert_allclose(found.signal, VALUES, atol=1e-6)
    assert (found.ch_names, found.subject, found.duration) == (tuple(NAMES), "S1", 30.0)
    assert found.sfreq == pytest.approx(1 / 1.5)


def test_a_column_that_numbers_the_rows_is_no_region(tmp_path):
    pd.DataFrame(VALUES, columns=NAMES).to_csv(tmp_path / "S1.csv")
    found = read(tmp_path, tr=1.5)
    assert found.ch_names == tuple(NAMES)
    assert any("the first column numbers the rows" in decision for decision in found.decisions)


@pytest.mark.parametrize("suffix", [".csv", ".txt", ".mat"])
def test_a_table_without_a_repetition_time_is_asked_about(tmp_path, suffix):
    with pytest.raises(ValueError, match=r"S1.* how many seconds lie between two volumes"):
        read(tmp_path, **written(tmp_path / f"S1{suffix}"))


@pytest.mark.parametrize("suffix", [".txt", ".mat"])
def test_numbers_without_a_header_are_asked_for_their_axes(tmp_path, suffix):
    stated = written(tmp_path / f"S1{suffix}")
    with pytest.raises(ValueError, match="volumes or regions"):
        read(tmp_path, tr=2.0, **{key: value for key, value in stated.items() if key != "axes"})


def test_a_column_of_times_gives_the_repetition_time_and_is_no_region(tmp_path):
    frame = pd.DataFrame(VALUES, columns=NAMES).assign(t=np.arange(20) * 0.8)
    frame.to_csv(tmp_path / "S1.csv", index=False)
    found = read(tmp_path, times="t")
    assert found.ch_names == tuple(NAMES)
    assert found.sfreq == pytest.approx(1.25)
    frame.assign(t=np.r_[0, 2, np.arange(18) + 10.0]).to_csv(tmp_path / "S1.csv", index=False)
    with pytest.raises(ValueError, match="do not rise in equal steps"):
        read(tmp_path, times="t")


def test_columns_may_be_regions_streams_and_labels_of_one_table(tmp_path):
    codes = [0] * 5 + [1] * 5 + [0] * 5 + [2] * 5
    pd.DataFrame(VALUES, columns=NAMES).assign(code=codes).to_csv(tmp_path / "S1.csv", index=False)
    stated = {
        "columns": ["V1", "V2"],
        "streams": {"area": {"columns": ["MT"]}},
        "labels": {"trial_type": "code", "ignore": [0], "names": {1: "face", 2: "house"}},
    }
    found = read(tmp_path, tr=2.0, **stated)
    assert found.ch_names == ("V1", "V2")
    np.testing.assert_allclose(found.streams["area"].values[:, 0], VALUES[:, 2], rtol=1e-5)
    assert found.events[["onset", "duration", "trial_type"]].to_numpy().tolist() == [
        [10.0, 10.0, "face"],
        [30.0, 10.0, "house"],
    ]


def test_people_come_from_a_table_and_with_them_the_repetition_time_of_their_site(tmp_path):
    folder = tmp_path / "roi"
    folder.mkdir()
    np.savetxt(folder / "501.txt", VALUES)
    pd.DataFrame({"ID": [501, 502], "SITE": ["A", "B"], "AGE": [20.5, 30.0]}).to_csv(tmp_path / "people.csv")
    stated = {
        "pattern": "roi/{subject}.txt",
        "axes": ["time", "channel"],
        "participants": {"file": "people.csv", "subject": "ID"},
    }
    found = read(tmp_path, tr={"column": "SITE", "A": 2.5, "B": 1.5}, **stated)
    assert (found.subject, found.sfreq, found.demographics) == ("501", 0.4, {"SITE": "A", "AGE": 20.5})
    with pytest.raises(ValueError, match="says 'A' of this person"):
        read(tmp_path, tr={"column": "SITE", "B": 1.5}, **stated)


def test_names_come_from_a_file(tmp_path):
    np.savetxt(tmp_path / "S1.txt", VALUES)
    pd.DataFrame({"num": [1, 2, 3], "abb": NAMES}).to_csv(tmp_path / "rois.csv", index=False)
    found = read(tmp_path, tr=2.0, axes=["time", "channel"], ch_names={"file": "rois.csv", "column": "abb"})
    assert found.ch_names == tuple(NAMES)
    with pytest.raises(ValueError, match="3 regions and 2 names"):
        read(tmp_path, tr=2.0, axes=["time", "channel"], ch_names=["a", "b"], pattern="{subject}.txt")


def test_text_that_is_no_table_of_ours_is_left_alone(tmp_path):
    (tmp_path / "notes.txt").write_text("hello\n")
    (tmp_path / "S1.csv").write_text("a,b\n1,2\n")
    assert FMRI().sources(tmp_path) == []


def test_two_regions_of_the_same_samples_are_told(tmp_path):
    pd.DataFrame(VALUES, columns=NAMES).assign(copy=VALUES[:, 0]).to_csv(tmp_path / "S1.csv", index=False)
    found = read(tmp_path, tr=2.0)
    assert found.bads == ("copy",)


@pytest.mark.parametrize(
    ("study", "folder", "counts"),
    [
        ("haxby_slice", "haxby_slice", (1, 530, 96)), ("alice_roi", "alice_fmri_roi", (14, 6, 0)),
        ("abide_aal", "abide_aal116", (70, 116, 0)), ("nitime_event", "nitime_fmri", (1, 1, 576)),
    ],
)  # fmt: skip
def test_the_studies_find_what_there_is(study, folder, counts, shared_data, tmp_path):
    from data_loaders import studies
    from data_loaders.prepare import find

    found = find(studies.pointed(study, shared_data(folder), tmp_path))
    reader, source = found[-1]
    recording = reader.read(source)
    assert (len(found), len(recording.ch_names), len(recording.events)) == counts
