"""From pretraining to a decoder: one model on several stores, then its encoder under another objective on other people."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from brainfm.recipe import Recipe
from brainfm.run.fit import fit
from data_loaders.store import Store

ENCODER = "{class_path: brainfm.encoders.patch_transformer.PatchTransformer, init_args: {patch: 0.1, dim: 16, depth: 1, n_heads: 2}}"
PRETRAIN = f"""
data:
  class_path: data_loaders.datamodule.Data
  init_args:
    windows: {{class_path: data_loaders.windows.Around}}
    fields: {{signal: {{start: 0.0, stop: 1.0}}}}
    transforms: [{{class_path: data_loaders.transforms.RobustScale}}]
    split: {{class_path: data_loaders.splits.HoldOut}}
    sampler: {{class_path: data_loaders.samplers.balanced.Balanced, init_args: {{by: study}}}}
    batch_size: 8
encoder: {ENCODER}
objective: {{class_path: brainfm.objectives.masked_reconstruction.MaskedReconstruction, init_args: {{max_channels: 2}}}}
evaluators: [{{class_path: brainfm.evaluators.reconstruction.Reconstruction, init_args: {{n_bootstraps: 50}}}}]
optimizer: {{class_path: torch.optim.AdamW, init_args: {{lr: 0.01}}}}
trainer: {{max_steps: 3, accelerator: cpu}}
"""
DECODE = f"""
data:
  class_path: data_loaders.datamodule.Data
  init_args:
    windows: {{class_path: data_loaders.windows.Around}}
    fields: {{signal: {{start: 0.0, stop: 1.0}}}}
    transforms: [{{class_path: data_loaders.transforms.RobustScale}}]
    split: {{class_path: data_loaders.splits.By, init_args: {{key: subject, n_folds: 2}}}}
    targets: [trial_type]
    batch_size: 16
encoder: {ENCODER}
objective: {{class_path: brainfm.objectives.classification.Classification}}
evaluators: []
optimizer: {{class_path: torch.optim.SGD, init_args: {{lr: 0.0}}}}
trainer: {{max_steps: 1, accelerator: cpu}}
"""


def make_store(path: Path, subjects: str, seed: int = 0) -> Path:
    """Twelve trials of each person: noise that the three channels share in part."""
    rng = np.random.default_rng(seed)
    n = 12 * len(subjects)
    X = 1e-5 * (rng.standard_normal((n, 3, 100)) + rng.standard_normal((n, 1, 100))).astype(np.float32)
    Store.from_arrays(path, X, ["rest", "work"] * (n // 2), sfreq=100.0, subjects=np.repeat(list(subjects), 12))
    return path


def recipe(text: str, stores: object, **options: object) -> Recipe:
    made = yaml.safe_load(text)
    made["data"]["init_args"]["store"] = stores
    return Recipe.of({**made, **options})


@pytest.fixture
def pretrained(tmp_path: Path) -> Path:
    stores = [str(make_store(tmp_path / name, "ABCDEF", seed=seed)) for seed, name in enumerate(("one", "two"))]
    return fit(recipe(PRETRAIN, stores), tmp_path / "pretrained")


def test_each_study_is_judged_beside_both_baselines(pretrained: Path) -> None:
    summary = pd.read_csv(pretrained / "summary.csv")
    assert set(summary["model"]) == {"PatchTransformer", "Lines in time", "Ridge over channels"}
    assert (summary["chance"] == 0).all()
    assert summary["value"].notna().all()
    assert (pretrained / "report.html").is_file()


def test_a_decoder_begins_with_every_tensor_of_the_pretrained_encoder(
    pretrained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = make_store(tmp_path / "other", "UVWXYZ", seed=9)
    run = fit(recipe(DECODE, str(other), init_from=str(pretrained)), tmp_path / "decoder")
    assert "every tensor filled" in capsys.readouterr().out
    from safetensors.torch import load_file

    before, after = (load_file(path / "fold-0" / "model.safetensors") for path in (pretrained, run))
    encoder = [name for name in after if name.startswith("encoder.")]
    assert len(encoder) > 10
    assert encoder == [name for name in before if name.startswith("encoder.")]
    # a rate of 0 leaves them where training began
    assert all(torch.equal(before[name], after[name]) for name in encoder)


def test_people_of_the_pretraining_are_refused_in_a_test_part(pretrained: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="trained on"):
        fit(recipe(DECODE, str(tmp_path / "one"), init_from=str(pretrained)), tmp_path / "leaky")
