"""`brainfm download` and `brainfm data`: the licence before the bytes, and what a store holds after them."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from brainfm.cli import main
from data_loaders.archives import physionet
from data_loaders.archives.base import File
from data_loaders.contracts import Recording
from data_loaders.store import Store
from data_loaders.writer import Writer


@pytest.fixture
def offered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A study of two files; what is fetched is listed."""
    monkeypatch.chdir(tmp_path)
    fetched: list[str] = []

    def fetch(files: list[File], dest: Path) -> None:
        fetched.extend(file.path for file in files)

    monkeypatch.setattr(physionet, "files", lambda *a: [File("a_1.edf", "u", 2_000_000), File("b_1.edf", "u", 500)])
    monkeypatch.setattr("data_loaders.studies.base.fetch", fetch)
    return fetched


def test_size_licence_and_citation_are_told_and_nothing_is_fetched_unasked(
    offered, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["download", "eegmat"]) == 2
    said = capsys.readouterr()
    for word in ("ODC-By 1.0", "Zyma et al. 2019", "36 subjects", "2 files, 2 MB"):
        assert word in said.out
    assert "add --yes" in said.err
    assert offered == []


@pytest.mark.parametrize(("answer", "fetched"), [("y", ["a_1.edf", "b_1.edf"]), ("", [])])
def test_a_person_is_asked(offered, answer: str, fetched: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("builtins.input", lambda question: answer)
    assert main(["download", "eegmat"]) == 0
    assert offered == fetched


def test_yes_fetches_and_says_what_is_next(offered, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["download", "eegmat", "--yes", "--include", "b_*"]) == 0
    assert offered == ["b_1.edf"]
    assert Path("data/eegmat/brainfm.yaml").read_text().count("eegmat")
    assert "brainfm prepare eegmat stores/eegmat" in capsys.readouterr().out


def test_a_study_that_is_not_there_yet_is_not_prepared(offered, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prepare", "eegmat", "stores/eegmat"]) == 2
    assert "`brainfm download eegmat` first" in capsys.readouterr().err


def test_the_bytes_of_a_download_become_a_store(
    tmp_path: Path, shared_data: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    source = shared_data("eegmat_31s")
    names = ["Subject01_1.edf", "Subject01_2.edf", "subject-info.csv"]
    lines = [f"{hashlib.sha256((source / name).read_bytes()).hexdigest()}  {name}\n" for name in names]
    (tmp_path / "sums").write_text("".join(lines))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(physionet, "FILES", f"file://{source}")
    monkeypatch.setattr("data_loaders.archives.web.get", _from_disk(tmp_path / "sums"))
    assert main(["download", "eegmat", "--yes"]) == 0
    assert main(["prepare", "eegmat", "stores/eegmat", "-j", "2"]) == 0
    assert list(Store("stores/eegmat").catalog["task"]) == ["arithmetic", "rest"]


def _from_disk(sums: Path) -> Callable:
    """A stand-in for the web that answers with files of this disk."""
    import io

    import requests

    def get(url: str, **options: object) -> requests.Response:
        answer, name = requests.Response(), url.rpartition("/")[2]
        path = sums if name == "SHA256SUMS.txt" else Path(url.removeprefix("file://").replace("/eegmat/1.0.0", ""))
        answer.status_code, answer.raw = 200, io.BytesIO(path.read_bytes())
        return answer

    return get


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Two people with seven channels on the head, one of them bad, and one with spikes."""
    rng = np.random.default_rng(0)
    places = rng.standard_normal((7, 3))
    places = 0.09 * places / np.linalg.norm(places, axis=1, keepdims=True)
    places[:, 2] = np.abs(places[:, 2])
    with Writer(tmp_path / "mine") as writer:
        for subject in ("01", "02"):
            writer.write(Recording(
                study="s", subject=subject, modality="eeg", sfreq=100.0, ch_names=tuple("ABCDEFG"), ch_types=("eeg",) * 7,
                duration=30.0, units=("V",) * 7, signal=1e-5 * rng.standard_normal((3000, 7)), ch_positions=places, bads=("C",),
            ))  # fmt: skip
    return tmp_path / "mine"


def test_a_store_tells_studies_people_hours_channels_and_rates(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", str(store)]) == 0
    said = capsys.readouterr().out
    for word in ("2 recordings", "eeg", "0.02", "7", "100", "01", "02"):
        assert word in said


def test_a_check_finds_one_changed_byte_and_the_repair_mends_it(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["data", str(store), "--check"]) == 0
    assert "2 recordings are as they were written" in capsys.readouterr().out
    file, extent = store / "s" / "sub-02.h5", Store(store).entry(1).extents["signal"]
    whole = bytearray(file.read_bytes())
    whole[extent.offset + 777] ^= 1
    file.write_bytes(whole)
    assert main(["data", str(store), "--check"]) == 2
    said = capsys.readouterr().err
    assert "1 of 2 recordings are damaged" in said
    assert "s/sub-02.h5: signal has the sha256" in said
    assert "delete these files" in said
    file.unlink()
    assert main(["data", str(store), "--check"]) == 2
    assert "missing" in capsys.readouterr().err


@pytest.mark.parametrize("what", ["window", "channels"])
def test_a_picture_is_written(store: Path, what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["data", str(store), "--plot", what, "--recording", "1"]) == 0
    picture = np.asarray(Image.open(tmp_path / f"mine-{what}.png").convert("L"))
    assert picture.std() > 5
    assert min(picture.shape) > 300


@pytest.mark.parametrize(
    ("flags", "said"),
    [(("--plot", "window", "--start", "31"), "lasts 30 s"), (("--plot", "window", "--recording", "7"), "from 0 to 1")],
)
def test_a_window_that_is_not_there_says_what_there_is(
    store: Path, flags: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["data", str(store), *flags]) == 2
    assert said in capsys.readouterr().err
