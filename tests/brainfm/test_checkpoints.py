"""Saved weights come back whole or not at all."""

import json

import numpy as np
import pytest
import torch
from torch import nn

from brainfm.checkpoints import Frozen, load, load_transforms, read_manifest, resolve, save, sha256


class Stage(nn.Module):
    """A trained stage with an encoder, as objectives have one."""

    def __init__(self, encoder: nn.Module, n_outputs: int = 2):
        super().__init__()
        self.encoder, self.head = encoder, nn.Linear(encoder.out_features, n_outputs)


class User(nn.Module):
    """Uses a frozen stage and has weights of its own."""

    def __init__(self, stage: nn.Module):
        super().__init__()
        self.stage, self.own = stage, nn.Linear(2, 2)


def objective(n_outputs: int = 2) -> dict:
    encoder = {"class_path": "torch.nn.Linear", "init_args": {"in_features": 4, "out_features": 3}}
    return {"class_path": f"{__name__}.Stage", "init_args": {"encoder": encoder, "n_outputs": n_outputs}}


@pytest.fixture
def saved(tmp_path):
    torch.manual_seed(0)
    stage = Stage(nn.Linear(4, 3))
    save(stage, tmp_path / "fold-0", {"objective": objective(), "subjects": ["01"]}, {"0.median": np.arange(3.0)})
    return stage, tmp_path / "fold-0"


def test_loading_gives_back_every_weight_and_fitted_transform(saved):
    stage, folder = saved
    torch.manual_seed(1)
    other = load(Stage(nn.Linear(4, 3)), folder)
    assert all(torch.equal(a, b) for a, b in zip(stage.parameters(), other.parameters(), strict=True))
    np.testing.assert_array_equal(load_transforms(folder)["0.median"], [0.0, 1.0, 2.0])


def test_an_encoder_alone_is_filled_by_its_prefix(saved):
    stage, folder = saved
    assert torch.equal(load(nn.Linear(4, 3), folder, prefix="encoder.").weight, stage.encoder.weight)


def test_a_model_that_does_not_fit_is_told_all_that_is_missing_unexpected_and_misshaped(saved):
    _, folder = saved
    other = Stage(nn.Linear(4, 3, bias=False), n_outputs=5)
    other.extra = nn.Parameter(torch.zeros(2))
    before = other.head.bias.clone()
    with pytest.raises(
        ValueError,
        match=r"missing: extra; unexpected: encoder.bias; misshaped: head.bias float32\[2\] for float32\[5\], head",
    ):
        load(other, folder)
    assert torch.equal(other.head.bias, before)


def test_weights_of_another_precision_are_refused(saved):
    with pytest.raises(ValueError, match=r"encoder.weight float32\[3, 4\] for float64\[3, 4\]"):
        load(Stage(nn.Linear(4, 3)).double(), saved[1])


def test_weights_that_lie_in_memory_in_another_order_come_back_equal(tmp_path):
    conv = nn.Conv2d(3, 4, 2).to(memory_format=torch.channels_last)
    save(conv, tmp_path, {})
    assert torch.equal(load(nn.Conv2d(3, 4, 2), tmp_path).weight, conv.weight)


def test_a_folder_without_manifest_is_no_checkpoint(saved):
    (saved[1] / "manifest.json").unlink()
    with pytest.raises(ValueError, match="no finished checkpoint"):
        load(Stage(nn.Linear(4, 3)), saved[1])


def test_a_run_of_one_fold_is_found_and_one_of_two_is_refused(saved, tmp_path):
    assert resolve(tmp_path) == saved[1]
    save(saved[0], tmp_path / "fold-1", {})
    with pytest.raises(ValueError, match="holds 2 checkpoints, expected one: name one of"):
        resolve(tmp_path)


def test_a_frozen_stage_is_neither_saved_nor_trained_nor_switched(saved):
    stage, folder = saved
    user = User(Frozen(folder)).train()
    assert set(user.state_dict()) == {"own.weight", "own.bias"}
    assert {name for name, _ in user.named_parameters()} == {"own.weight", "own.bias"}
    assert torch.equal(user.stage.stage.encoder.weight, stage.encoder.weight)
    assert not user.stage.stage.training
    assert not any(parameter.requires_grad for parameter in user.stage.stage.parameters())


def test_a_frozen_stage_moves_with_the_model_that_uses_it(saved):
    assert User(Frozen(saved[1])).double().stage.stage.encoder.weight.dtype == torch.float64


def test_the_manifest_names_the_checksum_of_the_weights_and_of_each_frozen_stage(saved, tmp_path):
    save(User(Frozen(saved[1])), tmp_path / "user", {"subjects": ["02"]})
    manifest = read_manifest(tmp_path / "user")
    assert manifest["sha256"] == sha256(tmp_path / "user" / "model.safetensors")
    assert manifest["frozen"] == {"stage": {"checkpoint": str(saved[1]), "sha256": read_manifest(saved[1])["sha256"]}}
    assert json.loads((saved[1] / "manifest.json").read_text())["subjects"] == ["01"]
