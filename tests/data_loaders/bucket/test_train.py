"""Training over HTTP: batches byte for byte those of the folder, and a whole recipe fitted, predicted and reported from an address."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from brainfm.recipe import Recipe
from brainfm.run.elsewhere import predict_elsewhere
from brainfm.run.fit import fit
from data_loaders.store import Store

RECIPE = """
data:
  class_path: data_loaders.datamodule.Data
  init_args:
    windows: {class_path: data_loaders.windows.Around}
    fields: {signal: {start: 0.0, stop: 1.0}}
    transforms:
      - {class_path: data_loaders.transforms.BandPass, init_args: {l_freq: 1.0, h_freq: 40.0, method: iir}}
      - {class_path: data_loaders.transforms.RobustScale}
    split: {class_path: data_loaders.splits.By, init_args: {key: subject, n_folds: 2}}
    targets: [trial_type]
    batch_size: 8
encoder: {class_path: brainfm.encoders.eegnet.EEGNet, init_args: {taps: 16}}
objective: {class_path: brainfm.objectives.classification.Classification}
evaluators:
  - class_path: brainfm.evaluators.decoding.Decoding
    init_args:
      baselines: [{class_path: brainfm.baselines.log_variance.LogVariance}]
      n_permutations: 10
      n_bootstraps: 10
optimizer: {class_path: torch.optim.AdamW, init_args: {lr: 0.01}}
trainer: {max_steps: 1, accelerator: cpu}
seed: 0
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BRAINFM_CACHE", str(tmp_path / "cache"))
    X = np.random.default_rng(0).standard_normal((48, 3, 100)) * 1e-5
    Store.from_arrays(
        tmp_path / "srv" / "toy", X, ["rest", "work"] * 24, sfreq=100.0, subjects=np.repeat(list("abcd"), 12)
    )
    return tmp_path / "srv"


def recipe(store: str, transforms: slice = slice(None)) -> Recipe:
    raw = yaml.safe_load(RECIPE)
    data = raw["data"]["init_args"]
    data |= {"store": store, "transforms": data["transforms"][transforms]}
    return Recipe.of(raw)


def test_batches_over_http_are_those_of_the_folder(folder: Path, serve: Callable[..., Any]) -> None:
    streams = []
    for store in (str(folder / "toy"), f"{serve(folder).address}/toy"):
        data = recipe(store, slice(1, None)).data
        data.use(0)
        streams.append(data.train_dataloader())
    for _, local, remote in zip(range(8), *streams, strict=False):
        assert torch.equal(local.signal, remote.signal)
        assert torch.equal(local.window_id, remote.window_id)
        assert torch.equal(local.targets["trial_type"], remote.targets["trial_type"])


def test_a_recipe_is_fitted_predicted_and_reported_from_an_address(
    folder: Path, serve: Callable[..., Any], tmp_path: Path
) -> None:
    address = f"{serve(folder).address}/toy"
    run = fit(recipe(address), tmp_path / "run", ["brainfm", "fit"])
    assert (run / "scores.csv").exists()
    assert len(predict_elsewhere(run, address, fold=0)) == 48
    # what the filter made lies on this machine
    assert list((tmp_path / "cache" / "derived").rglob("*.h5"))


def test_secrets_are_kept_out_of_recipes(folder: Path) -> None:
    raw = yaml.safe_load(RECIPE)
    raw["data"]["init_args"] |= {"store": str(folder / "toy"), "storage_options": {"secret": "abc"}}
    with pytest.raises(
        ValueError, match="storage_options holds 'secret', which would be written into every run folder"
    ):
        Recipe.of(raw)
