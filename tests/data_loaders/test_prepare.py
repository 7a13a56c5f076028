"""Preparing a folder: resumable, one recording at a time, nothing skipped without a word."""

import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import yaml

from data_loaders.prepare import all_readers, find, prepare
from data_loaders.store import Store


def spikes_folder(folder: Path, n_recordings: int, n_values: int = 1000) -> Path:
    """Recordings of three units with one behaviour stream of `n_values` numbers."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for number in range(n_recordings):
        times = np.sort(rng.uniform(0, n_values / 100, 200))
        np.savez(
            folder / f"s{number:02d}.npz",
            spike_times=times,
            spike_units=rng.integers(0, 3, 200),
            vel=rng.normal(size=n_values).astype(np.float32),
        )
    stated = {"modality": "spikes", "pattern": "{subject}.npz", "spikes": {"streams": {"vel": {"sfreq": 100}}}}
    (folder / "brainfm.yaml").write_text(yaml.safe_dump(stated))
    return folder


def run(
    *arguments: str, code: str = "from data_loaders.prepare import prepare; import sys; prepare(*sys.argv[1:3])"
) -> subprocess.Popen:
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    )


def contents(store: Path) -> dict[str, str]:
    """The checksum of every file of a store."""
    return {
        str(p.relative_to(store)): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(store.rglob("*"))
        if p.is_file()
    }


def test_every_modality_file_brings_its_reader_without_a_list():
    assert {type(reader).__name__ for reader in all_readers()} >= {"EEG", "MEG", "Spikes"}


# forks, so that the libraries are imported once and each kill costs what it interrupts
_KILLED = """
import os, pathlib, random, signal, sys, time
from data_loaders.prepare import all_readers, prepare
all_readers()
random.seed(0)
killed = 0
finished = lambda: len(list(pathlib.Path(sys.argv[2]).rglob("*.h5")))
for attempt in range(15):
    goal = finished() + random.randint(0, 2)
    child = os.fork()
    if child == 0:
        prepare(sys.argv[1], sys.argv[2])
        os._exit(0)
    # by progress, not by the clock: a fast machine is killed as often as a slow one
    while finished() < min(goal, 20):
        time.sleep(0.001)
    time.sleep(random.uniform(0, 0.05))
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    killed += os.WIFSIGNALED(status)
    if not os.WIFSIGNALED(status):
        break
print("KILLED", killed)
"""


def test_a_store_killed_at_random_moments_and_continued_is_the_same_to_the_last_bit(tmp_path):
    source, killed = spikes_folder(tmp_path / "in", 20, n_values=200_000), tmp_path / "killed"
    prepare(source, tmp_path / "whole")
    out, err = run(str(source), str(killed), code=_KILLED).communicate()
    assert b"KILLED" in out, err
    assert int(out.split(b"KILLED")[1]) >= 3, out
    (killed / "in" / ".sub-s00.h5.77.tmp").write_bytes(b"half a file")
    prepare(source, killed)
    assert contents(killed) == contents(tmp_path / "whole")


def test_preparing_again_writes_nothing(tmp_path):
    source = spikes_folder(tmp_path / "in", 3)
    store = prepare(source, tmp_path / "out")
    before = {path: path.stat().st_mtime_ns for path in store.rglob("*.h5")}
    prepare(source, tmp_path / "out")
    assert {path: path.stat().st_mtime_ns for path in store.rglob("*.h5")} == before


def test_a_source_that_changed_is_read_anew_and_the_others_are_not(tmp_path):
    source = spikes_folder(tmp_path / "in", 3)
    store = prepare(source, tmp_path / "out")
    before = contents(store)
    np.savez(source / "s01.npz", spike_times=np.arange(1, 10), spike_units=np.zeros(9, int), vel=np.zeros(1000))
    prepare(source, tmp_path / "out")
    after = contents(store)
    assert {name for name in before if before[name] != after[name]} == {
        "in/sub-s01.h5",
        "catalog.parquet",
        "store.json",
    }


def test_a_recording_whose_name_changed_leaves_no_old_one_behind(tmp_path):
    source = spikes_folder(tmp_path / "in", 2)
    prepare(source, tmp_path / "out")
    (source / "s01.yaml").write_text("session: late\n")
    store = Store(prepare(source, tmp_path / "out"))
    assert list(store.catalog["name"]) == ["sub-s00", "sub-s01_ses-late"]


def test_a_recording_that_fails_is_named_at_the_end_and_the_others_are_kept(tmp_path, capsys):
    source = spikes_folder(tmp_path / "in", 3)
    (source / "s01.npz").write_bytes((source / "s01.npz").read_bytes()[:500])
    with pytest.raises(ValueError, match=r"1 of 3 recordings could not be prepared") as raised:
        prepare(source, tmp_path / "out")
    assert "s01.npz" in str(raised.value)
    assert list(Store(tmp_path / "out").catalog["name"]) == ["sub-s00", "sub-s02"]


def test_two_sources_of_one_name_are_both_named(tmp_path):
    source = spikes_folder(tmp_path / "in", 2)
    (source / "brainfm.yaml").write_text(
        (source / "brainfm.yaml").read_text().replace("'{subject}.npz'", "'*.npz'") + "subject: one\n"
    )
    with pytest.raises(ValueError, match="session or run") as raised:
        prepare(source, tmp_path / "out")
    assert "s00.npz" in str(raised.value)
    assert "s01.npz" in str(raised.value)


def test_every_decision_is_printed_and_lies_in_the_store(tmp_path, capsys):
    source = spikes_folder(tmp_path / "in", 3)
    for number in range(3):
        np.savez(source / f"s{number:02d}.npz", spike_times=[3.0, 1.0], spike_units=[1, 0], vel=np.zeros(1000))
    store = Store(prepare(source, tmp_path / "out"))
    printed = capsys.readouterr().out
    assert "sub-s00: spike times were not in order" in printed
    assert "the same in 2 more recordings: spike times were not in order" in printed
    assert all("not in order" in store.entry(i).decisions[0] for i in range(3))


def test_files_that_no_reader_knows_are_counted(tmp_path, capsys):
    source = spikes_folder(tmp_path / "in", 1)
    (source / "notes.txt").write_text("x")
    prepare(source, tmp_path / "out")
    assert "left alone: 1 .txt" in capsys.readouterr().out


def test_a_folder_without_recordings_says_what_is_there(tmp_path):
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(ValueError, match=r"1 \.txt"):
        prepare(tmp_path, tmp_path / "out")


def test_a_misspelt_modality_names_the_nearest(tmp_path):
    with pytest.raises(ValueError, match="did you mean 'spikes'"):
        find(spikes_folder(tmp_path / "in", 1), "spike")


def test_a_missing_source_is_said(tmp_path):
    with pytest.raises(ValueError, match="does not exist"):
        prepare(tmp_path / "nowhere", tmp_path / "out")


_PEAK = """
import resource, sys
from data_loaders.prepare import prepare
prepare(sys.argv[1], sys.argv[2])
print("PEAK", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def peak(source: Path, dest: Path) -> int:
    """The most memory (kB) that preparing took."""
    out, err = run(str(source), str(dest), code=_PEAK).communicate()
    assert b"PEAK" in out, err
    return int(out.split(b"PEAK")[1])


def test_peak_memory_does_not_grow_with_the_number_of_recordings(tmp_path):
    # 6 MB each: were all twenty kept, 108 MB would be added to a process of about 600
    few = peak(spikes_folder(tmp_path / "few", 2, n_values=1_500_000), tmp_path / "a")
    many = peak(spikes_folder(tmp_path / "many", 20, n_values=1_500_000), tmp_path / "b")
    print("peak MB", few / 1024, many / 1024)
    assert many < 1.1 * few


_STARTED = """
import sys
from data_loaders.prepare import prepare
print("START", flush=True)
prepare(*sys.argv[1:3])
"""


def test_progress_appears_within_a_second_of_the_call(tmp_path):
    source = spikes_folder(tmp_path / "in", 3)
    process = subprocess.Popen(
        [sys.executable, "-c", _STARTED, str(source), str(tmp_path / "out")],
        stdout=subprocess.PIPE, env=os.environ | {"FORCE_COLOR": "1", "TTY_COMPATIBLE": "1", "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline().startswith(b"START")
    start = time.perf_counter()
    process.stdout.read(1)
    assert time.perf_counter() - start < 1.0
    process.communicate()


def test_reading_a_window_touches_only_its_bytes(tmp_path):
    rng = np.random.default_rng(0)
    store = Store.from_arrays(tmp_path, rng.normal(size=(20, 4, 1000)), sfreq=100.0)
    entry = store.entry(0)
    window = store.signal(0, 5000, 5200).copy()
    extent, file = entry.extents["signal"], tmp_path / entry.file
    start = extent.offset + 5000 * 4 * 4
    data = bytearray(len(file.read_bytes()))
    data[start : start + window.nbytes] = file.read_bytes()[start : start + window.nbytes]
    # everything else becomes zero, and the file keeps its size
    file.write_bytes(bytes(data))
    assert np.array_equal(Store(tmp_path).signal(0, 5000, 5200), window)
    assert not Store(tmp_path).signal(0, 5200, 5300).any()
