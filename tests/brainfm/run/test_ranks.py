"""A run in two processes: they train as one, and the first alone writes and judges."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from brainfm.recipe import Recipe
from brainfm.run import ranks


def fit(recipe: Path, out: Path, *flags: str) -> str:
    free = {name: value for name, value in os.environ.items() if name not in ("LOCAL_RANK", "WORLD_SIZE", "NODE_RANK")}
    command = [sys.executable, "-m", "brainfm", "fit", "--config", str(recipe), "--out", str(out), *flags]
    done = subprocess.run(command, env=free, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    return done.stdout


@pytest.mark.slow
def test_two_devices_give_the_numbers_of_one_and_write_every_file_once(
    recipe: Callable[..., Recipe], tmp_path: Path
) -> None:
    # no dropout and no batch norm, which see the part of a batch that one device has
    plain = {"class_path": "brainfm.encoders.gru.GRU", "init_args": {"dropout": 0.0}}
    (tmp_path / "two.yaml").write_text(recipe(encoder=plain).text())
    fit(tmp_path / "two.yaml", tmp_path / "one")
    told = fit(tmp_path / "two.yaml", tmp_path / "two", "--trainer.devices", "2", "--trainer.strategy", "ddp")
    assert sum("windows to train on" in line for line in told.splitlines()) == 2, "the second process says nothing"
    for fold in ("fold-0", "fold-1"):
        one, two = (pd.read_csv(tmp_path / run / fold / "history.csv") for run in ("one", "two"))
        pd.testing.assert_frame_equal(one, two, rtol=1e-4)
    scores = [pd.read_csv(tmp_path / run / "scores.csv") for run in ("one", "two")]
    pd.testing.assert_frame_equal(*scores, rtol=1e-3)
    assert not list((tmp_path / "two").rglob("*.part*"))
    assert not list((tmp_path / "two").rglob("last.ckpt"))


def test_a_waiting_process_ends_with_the_one_that_started_it(monkeypatch: pytest.MonkeyPatch) -> None:
    parents = iter([10, 10, 1])
    monkeypatch.setattr(ranks.os, "getppid", lambda: next(parents))
    monkeypatch.setattr(ranks.time, "sleep", lambda seconds: None)
    with pytest.raises(SystemExit, match="run the same command again"):
        ranks.wait(lambda: False)


def test_waiting_ends_when_it_is_done() -> None:
    looks = iter([False, True])
    ranks.wait(lambda: next(looks))
