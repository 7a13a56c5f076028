"""Studies say what they are; their downloads can be prepared as they lie."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from data_loaders import studies
from data_loaders.archives import buckets, dandi, physionet
from data_loaders.archives.base import File
from data_loaders.prepare import prepare
from data_loaders.store import Store
from data_loaders.studies.base import SIDECAR, Described


@pytest.mark.parametrize("name", studies.names())
def test_every_study_says_licence_citation_and_source(name: str) -> None:
    study = studies.find(name)
    facts = study.facts()
    assert study.name == name
    assert all(facts[key] for key in ("what", "holds", "licence", "cite", "from"))
    # a sidecar alone may say where its data were printed, and no address
    assert study.url.startswith("https://") or isinstance(study, Described)
    assert study.default is None or study.default in study.parts
    assert study.sidecar()["study"] == name


def test_a_misspelt_study_or_part_gets_the_nearest_one() -> None:
    with pytest.raises(ValueError, match="did you mean 'eegmat'"):
        studies.find("egmat")
    with pytest.raises(ValueError, match="its parts are R1, R2"):
        studies.find("hbn_eeg").chosen("R12")


@pytest.mark.parametrize(
    ("name", "part", "paths", "kept"),
    [
        ("lebel2023", "text", ["derivative/TextGrids/a.TextGrid", "derivative/preprocessed_data/UTS01/a.hf5", "sub-UTS01/x.nii.gz"], 1),
        ("lebel2023", None, ["derivative/TextGrids/a.TextGrid", "derivative/preprocessed_data/UTS01/a.hf5", "sub-UTS01/x.nii.gz"], 2),
        ("lebel2023", "raw", ["derivative/TextGrids/a.TextGrid", "sub-UTS01/x.nii.gz", "participants.tsv"], 2),
        ("perich_miller", "C", ["sub-C/a.nwb", "sub-M/b.nwb"], 1),
        ("perich_miller", None, ["sub-C/a.nwb", "sub-M/b.nwb"], 2),
    ],
)  # fmt: skip
def test_a_part_is_the_files_that_belong_to_it(
    name: str, part: str | None, paths: list[str], kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = [File(path, "u", 1) for path in paths]
    monkeypatch.setattr(buckets, "listing", lambda bucket, prefix: listed)
    monkeypatch.setattr(dandi, "assets", lambda dandiset: listed)
    assert len(studies.find(name).chosen(part)) == kept


def test_patterns_choose_files_and_none_that_match_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        dandi, "assets", lambda dandiset: [File("sub-C/a_CO.nwb", "u", 1), File("sub-C/b_RT.nwb", "u", 1)]
    )
    study = studies.find("perich_miller")
    assert [file.path for file in study.chosen("C", ["*_CO*"])] == ["sub-C/a_CO.nwb"]
    with pytest.raises(ValueError, match="none of the 2 files"):
        study.chosen("C", ["*.edf"])


def test_a_download_is_prepared_as_it_lies(
    tmp_path: Path, shared_data: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    source = shared_data("eegmat_31s")
    names = ["Subject00_1.edf", "Subject00_2.edf", "subject-info.csv"]
    monkeypatch.setattr(
        physionet, "files", lambda *a: [File(name, "u", (source / name).stat().st_size) for name in names]
    )
    monkeypatch.setattr("data_loaders.studies.base.fetch", lambda files, dest: [
        shutil.copy(source / f.path, dest / f.path) for f in files if not dest.mkdir(exist_ok=True)
    ])  # fmt: skip
    study = studies.find("eegmat")
    study.download(study.chosen(), tmp_path / "data")
    assert "ODC-By" in (tmp_path / "data" / SIDECAR).read_text()
    store = Store(prepare(tmp_path / "data", tmp_path / "store"))
    assert store.catalog[["study", "subject", "task"]].to_numpy().tolist() == [
        ["eegmat", "Subject00", "arithmetic"], ["eegmat", "Subject00", "rest"],
    ]  # fmt: skip
    assert "Age" in store.entry(0).demographics


def test_a_study_that_no_program_can_download_says_how_to_get_it() -> None:
    with pytest.raises(ValueError, match="--sidecar br41n_p300"):
        studies.find("br41n_p300").files()
