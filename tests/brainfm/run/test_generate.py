"""Rollouts of a run: a table of spikes that are where they say, the same for a seed, and other without an input."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from brainfm.cli import main
from data_loaders.studies.spiking_network import driven, random_network, simulate
from data_loaders.writer import Writer

RECIPE = """
data:
  class_path: data_loaders.datamodule.Data
  init_args:
    windows: {class_path: data_loaders.windows.Tile, init_args: {stride: 0.05}}
    fields:
      past: {source: spikes, start: -0.05, stop: 0.0}
      current: {source: spikes, start: 0.0, stop: 0.05}
      stimulus: {source: stimulus, start: 0.0, stop: 0.06}
    split: {class_path: data_loaders.splits.TimeBlock, init_args: {n_folds: 2, gap: 0.2}}
    batch_size: 32
encoder:
  class_path: brainfm.encoders.neuroformer.Neuroformer
  init_args:
    dim: 16
    n_heads: 2
    state_layers: 1
    history_layers: 1
    past_seconds: 0.05
    block: 16
    past_block: 16
    modalities: {stimulus: {class_path: brainfm.nn.projectors.Values, init_args: {n_features: 4, dim: 16, layers: 1}}}
objective: {class_path: brainfm.objectives.spike_prediction.SpikePrediction}
optimizer: {class_path: torch.optim.AdamW, init_args: {lr: 0.02}}
trainer: {max_steps: 20, accelerator: cpu}
seed: 0
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("generate")
    with Writer(folder / "store") as writer:
        writer.write(simulate(driven(random_network(8, share=0.1), gain=0.3), seconds=3.0, trials=4))
    recipe = yaml.safe_load(RECIPE)
    recipe["data"]["init_args"]["store"] = str(folder / "store")
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert main(["fit", "--config", "recipe.yaml", "--name", "spikes"]) == 0
    return next((folder / "runs").iterdir())


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
