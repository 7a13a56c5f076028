"""A small Neuroformer fitted to simulated spikes by the command, for the verbs that use such a run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from brainfm.cli import main
from data_loaders.contracts import Recording
from data_loaders.writer import Writer

RECIPE = """
data:
  class_path: data_loaders.datamodule.Data
  init_args:
    windows: {class_path: data_loaders.windows.Tile, init_args: {stride: 0.05}}
    fields:
      past: {source: spikes, start: -0.05, stop: 0.0}
      current: {source: spikes, start: 0.0, stop: 0.05}
    split: {class_path: data_loaders.splits.TimeBlock, init_args: {n_folds: 2, gap: 0.2}}
encoder:
  class_path: brainfm.encoders.neuroformer.Neuroformer
  init_args: {dim: 16, n_heads: 2, state_layers: 1, history_layers: 1, past_seconds: 0.05}
objective: {class_path: brainfm.objectives.spike_prediction.SpikePrediction}
optimizer: {class_path: torch.optim.AdamW}
trainer: {accelerator: cpu}
seed: 0
"""


def fitted(folder: Path, recordings: Iterable[Recording], changes: Mapping[str, Any]) -> Path:
    """The run of the recipe with changes, given by dotted keys; the store lies two folders above it."""
    with Writer(folder / "store") as writer:
        for recording in recordings:
            writer.write(recording)
    recipe = yaml.safe_load(RECIPE)
    for key, value in {"data.init_args.store": str(folder / "store"), **changes}.items():
        *path, last = key.split(".")
        node = recipe
        for name in path:
            node = node.setdefault(name, {})
        node[last] = value
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert main(["fit", "--config", "recipe.yaml", "--name", "spikes"]) == 0
    return folder / "runs" / "spikes"
