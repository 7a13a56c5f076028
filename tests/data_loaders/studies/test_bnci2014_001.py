"""BNCI2014_001 through MOABB itself, on files of BNCI's layout that the test writes."""

from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from data_loaders import studies
from data_loaders.prepare import prepare
from data_loaders.store import Store

CLASSES = ["left hand", "right hand", "feet", "tongue"]


def write_session(path: Path, seed: int) -> None:
    """Two runs of four trials, in microvolts, and a baseline run without any, as the files of BNCI have them."""
    rng = np.random.default_rng(seed)
    runs = [
        {"X": 10 * rng.standard_normal((9000, 25)), "trial": trial, "y": rng.permutation(4)[: len(trial)] + 1, "fs": 250.0,
         "classes": np.array(CLASSES, dtype=object), "artifacts": np.zeros(len(trial)), "gender": "male", "age": 22}
        for trial in (np.array([]), np.array([251, 2251, 4251, 6251]), np.array([501, 2501, 4501, 6501]))
    ]  # fmt: skip
    savemat(path, {"data": np.array([np.array(runs[i], dtype=object) for i in range(3)], dtype=object)})


@pytest.fixture
def bnci(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    pytest.importorskip("moabb", reason="the extra moabb is not installed")
    from moabb.datasets.bnci import bnci_2014

    files = tmp_path / "bnci"
    files.mkdir()
    for subject in (1, 2):
        for session, letter in enumerate("TE"):
            write_session(files / f"A{subject:02d}{letter}.mat", 10 * subject + session)

    def data_path(url: str, *args: object, **options: object) -> list[str]:
        if not (files / url.rpartition("/")[2]).exists():
            raise ConnectionError(f"{url} is out of reach")
        return [str(files / url.rpartition("/")[2])]

    monkeypatch.setattr(bnci_2014, "data_path", data_path)
    return files


@pytest.mark.slow  # MOABB alone takes most of a minute to import on a busy machine
@pytest.mark.filterwarnings("ignore")
def test_runs_become_recordings_with_cues_as_events(bnci: Path, tmp_path: Path) -> None:
    study = studies.find("bnci2014_001")
    study.download(study.chosen("1"), tmp_path / "data")
    store = Store(prepare(tmp_path / "data", tmp_path / "store"))
    assert store.catalog[["subject", "session", "task", "run"]].to_numpy().tolist() == [
        ["1", session, "imagery", run] for session in ("0train", "1test") for run in ("0", "1")
    ]
    entry = store.entry(0)
    assert (entry.sfreq, entry.ch_types.count("eeg"), len(entry.ch_names)) == (250.0, 22, 22)
    events = store.events_of(0)
    assert sorted(events["trial_type"]) == ["feet", "left_hand", "right_hand", "tongue"]
    # a trial begins at sample 250; its cue comes 2 s later
    assert events["onset"].to_numpy()[0] == pytest.approx(1.0 + 2.0)
    assert set(events["duration"]) == {4.0}
    assert np.abs(store.signal(0, 0, 1000)).mean() == pytest.approx(8e-6, rel=0.05)


@pytest.mark.slow  # MOABB alone takes most of a minute to import on a busy machine
@pytest.mark.filterwarnings("ignore")
def test_people_who_are_there_stay_and_one_who_fails_leaves_nothing(bnci: Path, tmp_path: Path) -> None:
    study, dest = studies.find("bnci2014_001"), tmp_path / "data"
    (bnci / "A02E.mat").unlink()
    with pytest.raises(ValueError, match=r"person 2 .* people who are there stay"):
        study.download([*study.chosen("1"), *study.chosen("2")], dest)
    assert sorted(path.name for path in dest.iterdir() if not path.name.startswith(".")) == ["sub-1"]
    write_session(bnci / "A02E.mat", 5)
    before = (dest / "sub-1").stat().st_mtime_ns
    study.download([*study.chosen("1"), *study.chosen("2")], dest)
    assert (dest / "sub-1").stat().st_mtime_ns == before
    assert len(list((dest / "sub-2").iterdir())) == 4


def test_without_moabb_the_repair_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "moabb", None)
    study = studies.find("bnci2014_001")
    with pytest.raises(ValueError, match=r"pip install 'brainfm\[moabb\]'"):
        study.download(study.chosen("1"), tmp_path)
