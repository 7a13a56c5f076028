"""Under Lightning: ranks share one order, and a checkpoint in mid-epoch goes on with the next window on any number of ranks."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from data_loaders.contracts import Recording
from data_loaders.writer import Writer

SCRIPT = Path(__file__).with_name("lightning_training.py")
SPEC = importlib.util.spec_from_file_location("lightning_training", SCRIPT)
training = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(training)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of one recording, on which two ranks have trained for seven steps."""
    path = tmp_path_factory.mktemp("ddp")
    signal = np.random.default_rng(0).standard_normal((4300, 2))
    with Writer(path / "store") as writer:
        writer.write(
            Recording(
                study="T", subject="01", modality="eeg", sfreq=100.0, ch_names=("a", "b"), ch_types=("eeg",) * 2,
                duration=43.0, signal=signal,
            )
        )  # fmt: skip
    train(path, devices=2, steps=7)
    return path


def train(path: Path, devices: int, steps: int, checkpoint: Path | None = None) -> list[list[list[int]]]:
    """What each rank trained on, batch by batch."""
    command = [sys.executable, "-W", "ignore", str(SCRIPT), str(path), str(devices), str(steps)]
    command += [str(checkpoint)] if checkpoint else []
    free = {name: value for name, value in os.environ.items() if name not in ("LOCAL_RANK", "WORLD_SIZE", "NODE_RANK")}
    done = subprocess.run(command, env=free, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    return seen(path, devices)


def seen(path: Path, devices: int, part: str = "train") -> list[list[list[int]]]:
    return [json.loads((path / f"seen-{rank}.json").read_text())[part] for rank in range(devices)]


def order(path: Path, n_batches: int) -> list[list[int]]:
    """The global order, batch by batch, as one process draws it."""
    stream = training.data(path / "store", threads=0).train_dataloader()
    return [stream.batch(step).window_id.tolist() for step in range(n_batches)]


def test_two_ranks_take_disjoint_shares_of_one_order(folder: Path) -> None:
    zero, one = seen(folder, 2)
    assert [a + b for a, b in zip(zero, one, strict=True)] == order(folder, 14)
    assert all(not set(a) & set(b) for a, b in zip(zero, one, strict=True))


@pytest.mark.parametrize(("part", "n_windows"), [("val", 5), ("test", 43)])
def test_two_ranks_share_what_is_validated_and_tested_in_as_many_steps(folder: Path, part: str, n_windows: int) -> None:
    zero, one = seen(folder, 2, part)
    together = [window for a, b in zip(zero, one, strict=True) for window in a + b]
    fold = training.data(folder / "store").fold
    windows = getattr(fold, part)
    assert together == windows.ids(np.arange(len(windows))).tolist()
    # after batches of four, one is left to validate, which joins the batch before; and three to test, shared as one and two
    assert len(windows) == n_windows


def test_one_rank_goes_on_where_two_stopped_in_mid_epoch_and_two_where_one_did(folder: Path) -> None:
    # after step 4 of the optimizer come batch 8 of the order, the third of an epoch that limit_train_batches ends after six;
    # the module asks for estimated_stepping_batches, after which Lightning forgets the loader's place
    (alone,) = train(folder, devices=1, steps=9, checkpoint=folder / "step=4.ckpt")
    assert alone == order(folder, 18)[8:]
    zero, one = train(folder, devices=2, steps=10, checkpoint=folder / "step=8.ckpt")
    assert [a + b for a, b in zip(zero, one, strict=True)] == order(folder, 20)[16:]
