"""A folder has one writer: a second is turned away by name or waits, and a killed one is no obstacle."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from data_loaders.locks import alone
from data_loaders.prepare import prepare

HOLD = """
import sys, time
from pathlib import Path
from data_loaders.locks import alone
with alone(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""


@pytest.fixture
def holder(tmp_path):
    """Starts a process that holds the lock of `tmp_path/store` for so many seconds."""
    started = []

    def start(seconds: float) -> subprocess.Popen:
        command = [sys.executable, "-c", HOLD, str(tmp_path / "store"), str(seconds)]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        assert started[-1].stdout.readline() == "held\n"
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def test_a_second_writer_is_told_who_the_first_is(holder, tmp_path) -> None:
    first = holder(60)
    told = rf"store is in use by process {first.pid} on .*: wait until it has ended"
    with pytest.raises(ValueError, match=told), alone(tmp_path / "store"):
        pass


def test_a_killed_writer_holds_nothing(holder, tmp_path) -> None:
    first = holder(60)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    with alone(tmp_path / "store"):
        pass


def test_one_that_waits_is_let_in_when_the_first_has_ended(holder, tmp_path, capsys) -> None:
    holder(0.5)
    with alone(tmp_path / "store", waits=True):
        assert "waiting for it" in capsys.readouterr().out


def test_the_folder_may_be_made_anew_inside_and_nothing_is_left_in_it(tmp_path) -> None:
    with alone(tmp_path / "store"):
        (tmp_path / "store").mkdir()
    assert list((tmp_path / "store").iterdir()) == []
    assert [path.name for path in tmp_path.glob("*.owner")] == []


def test_the_other_processes_of_one_run_pass_unless_each_is_to_be_alone(holder, tmp_path, monkeypatch) -> None:
    holder(60)
    monkeypatch.setenv("LOCAL_RANK", "1")
    with alone(tmp_path / "store"):
        pass
    with pytest.raises(ValueError, match="in use by process"), alone(tmp_path / "store", every_rank=True):
        pass


def test_a_store_that_is_being_prepared_is_refused(tmp_path) -> None:
    (tmp_path / "source").mkdir()
    with alone(tmp_path / "store"), pytest.raises(ValueError, match=f"store is in use by process {os.getpid()} on"):
        prepare(tmp_path / "source", tmp_path / "store")
