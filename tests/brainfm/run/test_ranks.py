"""A run in two processes: they train as one, and the first alone writes and judges."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from threading import Timer

import numpy as np
import pandas as pd
import pytest

from brainfm.recipe import Recipe
from brainfm.run import ranks
from brainfm.run.fit import fit
from brainfm.run.folder import RunFolder
from data_loaders.store import Store
from tests.brainfm.run.cut_training import dies_after

# no dropout and no batch norm, which see the part of a batch that one device has
PLAIN = {"class_path": "brainfm.encoders.gru.GRU", "init_args": {"dropout": 0.0}}
BALANCED = {
    "class_path": "brainfm.objectives.classification.Classification",
    "init_args": {"class_weights": "balanced"},
}
LAUNCHERS = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "NODE_RANK", "GROUP_RANK")


def started(recipe: Path, out: Path, *flags: str, **env: str) -> subprocess.Popen:
    free = {name: value for name, value in os.environ.items() if name not in LAUNCHERS}
    command = [sys.executable, "-m", "brainfm", "fit", "--config", str(recipe), "--out", str(out), *flags]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, env={**free, **env}, text=True, **pipes)


def ended(process: subprocess.Popen) -> str:
    told, failed = process.communicate(timeout=500)
    assert process.returncode == 0, told[-2000:] + failed[-3000:]
    return told


def on_two_nodes(recipe: Path, out: Path) -> list[str]:
    """What the processes of two nodes say that carry out one run, with one device each, started by hand."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    flags = ("--trainer.num_nodes", "2", "--trainer.strategy", "ddp")
    env = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "GLOO_SOCKET_IFNAME": "lo"}
    nodes = [started(recipe, out, *flags, **env, NODE_RANK=node) for node in ("0", "1")]
    try:
        return [ended(node) for node in nodes]
    finally:
        # one that waits for another that has failed
        for node in nodes:
            node.kill()


@pytest.fixture(scope="module")
def uneven_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six people with eleven trials each, a third of them of `work`."""
    rng, n = np.random.default_rng(0), 66
    labels = np.where(rng.permutation(n) % 3, "rest", "work")
    X = rng.standard_normal((n, 3, 100)).astype(np.float32) * 1e-5
    path = tmp_path_factory.mktemp("stores") / "uneven"
    Store.from_arrays(path, X, labels, sfreq=100.0, subjects=np.repeat(list("abcdef"), 11))
    return path


def assert_same_run(one: Path, two: Path) -> None:
    """The same curves, and the same predictions of the same windows in the same order."""
    for fold in ("fold-0", "fold-1"):
        curves = [pd.read_csv(run / fold / "history.csv") for run in (one, two)]
        pd.testing.assert_frame_equal(*curves, rtol=1e-4)
        tables = [pd.read_parquet(run / fold / "predictions.parquet") for run in (one, two)]
        pd.testing.assert_frame_equal(*tables, rtol=1e-3)
    pd.testing.assert_frame_equal(*(pd.read_csv(run / "scores.csv") for run in (one, two)), rtol=1e-3)
    assert not list(two.rglob("*.part*"))
    assert not list(two.rglob("last.ckpt"))


def test_two_nodes_go_on_where_one_process_was_cut_and_give_its_numbers(
    recipe: Callable[..., Recipe], uneven_store: Path, tmp_path: Path
) -> None:
    # eleven windows to validate: of batches of eight and three, the second has shares of one and two
    trainer = {"max_steps": 6, "accumulate_grad_batches": 2, "limit_train_batches": 4}
    made = recipe(uneven_store, encoder=PLAIN, objective=BALANCED, trainer=trainer)
    made.resolved["data"]["init_args"]["batch_size"] = 8
    (tmp_path / "two.yaml").write_text(made.text())
    fit(Recipe.read([tmp_path / "two.yaml"]), tmp_path / "one")
    with dies_after(saves=3):
        fit(Recipe.read([tmp_path / "two.yaml"]), tmp_path / "two")
    first, second = on_two_nodes(tmp_path / "two.yaml", tmp_path / "two")
    assert "trainer.num_nodes is 1 there and 2 here" in first
    assert "windows to train on" in first
    assert second == ""
    assert_same_run(tmp_path / "one", tmp_path / "two")


@pytest.mark.slow
def test_two_devices_give_the_numbers_of_one_and_write_every_file_once(
    recipe: Callable[..., Recipe], tmp_path: Path
) -> None:
    (tmp_path / "two.yaml").write_text(recipe(encoder=PLAIN).text())
    ended(started(tmp_path / "two.yaml", tmp_path / "one"))
    told = ended(
        started(tmp_path / "two.yaml", tmp_path / "two", "--trainer.devices", "2", "--trainer.strategy", "ddp")
    )
    assert sum("windows to train on" in line for line in told.splitlines()) == 2, "the second process says nothing"
    assert_same_run(tmp_path / "one", tmp_path / "two")


def test_a_waiting_process_ends_with_the_one_that_started_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parents = iter([10, 10, 1])
    monkeypatch.setattr(ranks.os, "getppid", lambda: next(parents))
    monkeypatch.setattr(ranks.time, "sleep", lambda seconds: None)
    with pytest.raises(SystemExit, match="run the same command again"):
        ranks.wait(lambda: False, tmp_path)


def test_waiting_ends_when_it_is_done(tmp_path: Path) -> None:
    looks = iter([False, True])
    ranks.wait(lambda: next(looks), tmp_path)


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks and signs every hundredth of a second; half a second of silence is too much."""
    monkeypatch.setattr(ranks, "_SECONDS_BETWEEN_LOOKS", 0.01)
    monkeypatch.setattr(ranks, "_SECONDS_BETWEEN_SIGNS", 0.01)
    monkeypatch.setattr(ranks, "_SECONDS_OF_SILENCE", 0.5)


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("left", [None, "process 7 on node0"])
def test_a_first_process_on_another_node_that_died_or_never_came_is_not_waited_for(
    left: str | None, tmp_path: Path
) -> None:
    if left is not None:
        (tmp_path / ".alive").write_text(left)
    for waiting in (partial(ranks.wait, lambda: False), ranks.wait_for_first):
        with pytest.raises(SystemExit, match=rf"no sign of life .* \(last: {left or 'none'}\): it has died"):
            waiting(tmp_path)


@pytest.mark.usefixtures("hasty")
def test_a_first_process_that_takes_its_time_is_waited_for(tmp_path: Path) -> None:
    done = time.monotonic() + 1.5
    with ranks.alive(tmp_path):
        ranks.wait(lambda: time.monotonic() > done, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("hasty")
def test_a_second_process_that_comes_after_all_is_done_waits_for_nobody(
    recipe: Callable[..., Recipe], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = RunFolder(tmp_path / "run")
    for number in (0, 1):
        (run.fold(number) / "scores.parquet").touch()
    monkeypatch.setattr(ranks, "is_first", lambda n_nodes: False)
    assert fit(recipe(), run.path) == run.path


@pytest.mark.usefixtures("hasty")
def test_what_an_earlier_debugging_run_left_is_not_taken_for_this_one(
    recipe: Callable[..., Recipe], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, earlier = recipe(debug=True), RunFolder(tmp_path / "run-debug")
    earlier.claim(made.resolved)
    (earlier.fold(0) / "scores.parquet").touch()
    trained: list[int] = []

    def train_along(recipe: Recipe, folder: Path, number: int) -> None:
        trained.append(number)
        (folder / "scores.parquet").touch()

    def start_afresh() -> None:
        earlier.claim(made.resolved, afresh=True)
        with ranks.alive(earlier.path):
            time.sleep(0.3)

    monkeypatch.setattr(ranks, "is_first", lambda n_nodes: False)
    monkeypatch.setattr("brainfm.run.fit._train_along", train_along)
    first = Timer(0.2, start_afresh)
    first.start()
    fit(made, tmp_path / "run")
    first.join()
    assert trained == [0]
