"""Several processes make the same store as one: in the same order, with the same errors, and after a kill."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import yaml

from data_loaders.prepare import prepare
from data_loaders.store import Store


def folder(path: Path, n_recordings: int, n_values: int = 2000) -> Path:
    """Sessions of three units with a behaviour stream; the larger ones come first, so that the smaller ones finish before them."""
    path.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number in range(n_recordings):
        n = n_values * (1 + 20 * (number % 3 == 0))
        np.savez(path / f"s{number:02d}.npz", spike_times=np.sort(rng.uniform(0, n / 100, 200)),
                 spike_units=rng.integers(0, 3, 200), vel=rng.normal(size=n).astype(np.float32))  # fmt: skip
    stated = {"modality": "spikes", "pattern": "{subject}.npz", "spikes": {"streams": {"vel": {"sfreq": 100}}}}
    (path / "brainfm.yaml").write_text(yaml.safe_dump(stated))
    return path


def contents(store: Path) -> dict[str, bytes]:
    return {str(p.relative_to(store)): p.read_bytes() for p in sorted(store.rglob("*")) if p.is_file()}


def test_the_store_is_the_same_to_the_byte_for_any_number_of_processes(tmp_path: Path) -> None:
    source = folder(tmp_path / "in", 7)
    one, three = (prepare(source, tmp_path / f"j{jobs}", jobs=jobs) for jobs in (1, 3))
    assert contents(one) == contents(three)


def test_an_error_is_that_of_one_process_and_the_others_are_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = folder(tmp_path / "in", 5)
    (source / "s01.npz").write_bytes(b"broken")
    said = []
    for jobs in (1, 2):
        with pytest.raises(ValueError, match="1 of 5 recordings could not be prepared") as error:
            prepare(source, tmp_path / f"j{jobs}", jobs=jobs)
        said.append(str(error.value))
    assert said[0] == said[1]
    assert contents(tmp_path / "j1") == contents(tmp_path / "j2")
    assert len(Store(tmp_path / "j2")) == 4


def test_of_two_recordings_of_one_name_the_first_is_kept_however_slow_it_is(tmp_path: Path) -> None:
    source = folder(tmp_path / "in", 4)
    (source / "brainfm.yaml").write_text(
        (source / "brainfm.yaml").read_text() + "subject: {s00: A, s01: A, s02: B, s03: C}\n"
    )
    with pytest.raises(ValueError, match=r"s01\.npz and .*s00\.npz are both sub-A"):
        prepare(source, tmp_path / "store", jobs=4)
    store = Store(tmp_path / "store")
    assert [Path(store.entry(i).source).name for i in range(3)] == ["s00.npz", "s02.npz", "s03.npz"]
    assert not list((tmp_path / "store").rglob(".*.tmp"))


def test_it_adds_to_a_store_and_reads_only_what_is_new(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = folder(tmp_path / "in", 3)
    prepare(source, tmp_path / "store", jobs=2)
    np.savez(source / "s99.npz", **np.load(source / "s01.npz"))
    prepare(source, tmp_path / "store", jobs=2)
    assert "1 recordings written, 3 were there, 0 failed" in capsys.readouterr().out
    assert len(Store(tmp_path / "store")) == 4


def test_a_killed_preparation_goes_on_and_leaves_no_process_behind(tmp_path: Path) -> None:
    source = folder(tmp_path / "in", 24, 20_000)
    code = "import sys\nfrom data_loaders.prepare import prepare\nif __name__ == '__main__': prepare(*sys.argv[1:3], jobs=2)"
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(source), str(tmp_path / "store")],
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    while len(list((tmp_path / "store").rglob("*.h5"))) < 3:
        assert process.poll() is None
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    _wait_for_session_to_end(process.pid)
    assert 3 <= len(list((tmp_path / "store").rglob("*.h5"))) < 24
    prepare(source, tmp_path / "store", jobs=2)
    assert contents(tmp_path / "store") == contents(prepare(source, tmp_path / "whole"))


def _wait_for_session_to_end(session: int) -> None:
    """Workers, their server and its resource tracker were started in the killed process's session."""
    while alive := [p for p in Path("/proc").iterdir() if p.name.isdigit() and _session(p) == session]:
        time.sleep(0.1)
        assert alive


def _session(process: Path) -> int:
    try:
        return int((process / "stat").read_text().rpartition(")")[2].split()[3])
    except (OSError, IndexError):
        return -1


def test_no_process_at_all_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        prepare(folder(tmp_path / "in", 1), tmp_path / "store", jobs=0)
