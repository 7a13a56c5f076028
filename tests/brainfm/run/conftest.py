"""What tests of the run loop share: a small store with a planted effect, and a recipe on it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from brainfm.recipe import Recipe
from data_loaders.store import Store

RECIPE = """
data:
  class_path: data_loaders.datamodule.Data
  init_args:
    windows: {class_path: data_loaders.windows.Around}
    fields: {signal: {start: 0.0, stop: 1.0}}
    transforms: [{class_path: data_loaders.transforms.RobustScale}]
    split: {class_path: data_loaders.splits.By, init_args: {key: subject, n_folds: 2}}
    targets: [trial_type]
    batch_size: 16
encoder: {class_path: brainfm.encoders.eegnet.EEGNet, init_args: {taps: 16}}
objective: {class_path: brainfm.objectives.classification.Classification}
evaluators:
  - class_path: brainfm.evaluators.decoding.Decoding
    init_args:
      metrics: [balanced_accuracy, auroc]
      baselines: [{class_path: brainfm.baselines.log_variance.LogVariance}]
      n_permutations: 20
      n_bootstraps: 20
optimizer: {class_path: torch.optim.AdamW, init_args: {lr: 0.01}}
scheduler: {class_path: torch.optim.lr_scheduler.OneCycleLR}
trainer: {max_steps: 5, val_every: 2, save_every: 0.0, accelerator: cpu}
seed: 0
"""


def make_store(path: Path, subjects: str, y: bool = True, seed: int = 0) -> Path:
    """Twelve trials per subject; in trials of `work` the second channel is a little louder."""
    rng = np.random.default_rng(seed)
    n = 12 * len(subjects)
    labels = np.where(rng.permutation(np.arange(n) % 2), "work", "rest")
    X = rng.standard_normal((n, 3, 100)).astype(np.float32) * 1e-5
    X[labels == "work", 1] *= 1.4
    Store.from_arrays(path, X, labels if y else None, sfreq=100.0, subjects=np.repeat(list(subjects), 12))
    return path


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six people."""
    return make_store(tmp_path_factory.mktemp("stores") / "toy", "abcdef")


@pytest.fixture(scope="session")
def other_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six other people."""
    return make_store(tmp_path_factory.mktemp("stores") / "other", "uvwxyz", seed=1)


@pytest.fixture(scope="session")
def unlabelled_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One more person, of whom no labels are known."""
    return make_store(tmp_path_factory.mktemp("stores") / "unlabelled", "g", y=False, seed=2)


@pytest.fixture(scope="session")
def raw(store: Path) -> Callable[..., dict[str, Any]]:
    """The recipe as it is written; changes are laid over its keys."""

    def make(store: Path = store, **changes: Any) -> dict[str, Any]:
        raw = yaml.safe_load(RECIPE)
        raw["data"]["init_args"]["store"] = str(store)
        for key, value in changes.items():
            raw[key] = {**raw[key], **value} if isinstance(raw.get(key), dict) else value
        return raw

    return make


@pytest.fixture(scope="session")
def recipe(raw: Callable[..., dict[str, Any]]) -> Callable[..., Recipe]:
    """Builds the recipe."""
    return lambda *store, **changes: Recipe.of(raw(*store, **changes))
