"""Rollouts of a run: a table of spikes that are where they say, the same for a seed, and other without an input."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from brainfm.cli import main
from data_loaders.studies.spiking_network import driven, random_network, simulate
from tests.brainfm.run.spike_runs import fitted

VALUES = {"class_path": "brainfm.nn.projectors.Values", "init_args": {"n_features": 4, "dim": 16, "layers": 1}}


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    made = [simulate(driven(random_network(8, share=0.1), gain=0.3), seconds=3.0, trials=4)]
    stimulus = {
        "data.init_args.fields.stimulus": {"source": "stimulus", "start": 0.0, "stop": 0.06},
        "encoder.init_args.modalities": {"stimulus": VALUES},
    }
    sizes = {"encoder.init_args.block": 16, "encoder.init_args.past_block": 16, "data.init_args.batch_size": 32}
    learning = {"optimizer.init_args.lr": 0.02, "trainer.max_steps": 20}
    return fitted(tmp_path_factory.mktemp("generate"), made, stimulus | sizes | learning)


def written(run: Path, *flags: str) -> pd.DataFrame:
    assert main(["generate", str(run), "--n_windows", "4", *flags]) == 0
    table = pd.read_parquet(run / "rollouts.parquet")
    assert len(pd.read_csv(run / "rollouts.csv")) == len(table)
    return table


def test_every_spike_lies_in_its_window_and_is_of_a_unit(run) -> None:
    table = written(run, "--n", "2")
    assert set(table["fold"]) == {0, 1}
    assert set(table["rollout"]) == {0, 1}
    assert set(table["unit"]) <= {f"unit{i}" for i in range(8)}
    inside = table["time_s"] - table["onset_s"]
    assert inside.between(0.0, 0.05).all()
    np.testing.assert_allclose(table["window_id"] % 2**40, table["onset_s"] * 1000.0)  # sfreq
    assert (table.groupby(["fold", "stretch", "rollout"])["time_s"].agg(np.ptp) < 0.2).all()
    one, other = (part.drop(columns="rollout") for _, part in table.groupby("rollout"))
    assert not one.reset_index(drop=True).equals(other.reset_index(drop=True))


def test_the_same_seed_writes_the_same_and_an_input_that_is_dropped_or_held_is_missed(run) -> None:
    one, same, other = (written(run, "--fold", "0", "--seed", seed) for seed in "331")
    pd.testing.assert_frame_equal(one, same)
    assert not one.equals(other)
    for flag in ("--drop", "--hold"):
        assert not written(run, "--fold", "0", "--seed", "3", flag, "stimulus").equals(one)


def test_greedy_does_not_depend_on_the_seed(run) -> None:
    pd.testing.assert_frame_equal(*(written(run, "--greedy", "--fold", "0", "--seed", seed) for seed in "12"))


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--drop", "sound"), "'sound' is no field"),
        (("--n_windows", "1000"), "lower n_windows"),
        (("--temperature", "0"), "greedy"),
        (("--fold", "7"), "name one from 0 to 1"),
        (("--n", "0"), "at least 1"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(run, capsys, flags, said) -> None:
    assert main(["generate", str(run), *flags]) == 2
    assert said in capsys.readouterr().err
