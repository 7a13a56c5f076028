"""Recipes: checked, completed with what the data settle, and saved so that they say everything."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from brainfm.grammar.nearest import RecipeError
from brainfm.grammar.read import layered, load, overridden
from brainfm.recipe import Recipe
from data_loaders.store import Store

RECIPE = """
data:
  class_path: data_loaders.datamodule.Data
  init_args:
    store: toy
    windows: {class_path: data_loaders.windows.Around}
    fields: {signal: {start: 0.0, stop: 2.0}}
    transforms:
      - {class_path: data_loaders.transforms.RobustScale}
      - {class_path: data_loaders.transforms.Clamp, init_args: {limit: 10.0}}
    split: {class_path: data_loaders.splits.By, init_args: {key: subject, n_folds: 3}}
    targets: [trial_type]
    batch_size: 16
encoder: {class_path: brainfm.encoders.eegnet.EEGNet}
objective: {class_path: brainfm.objectives.classification.Classification}
optimizer: {class_path: torch.optim.AdamW, init_args: {lr: 1.0e-3}}
scheduler: {class_path: torch.optim.lr_scheduler.OneCycleLR}
trainer: {max_steps: 20}
"""


def _store(path: Path, n_chans: int, labels: tuple[str, ...] = ("rest", "work")) -> None:
    n = 72
    X = np.random.default_rng(0).standard_normal((n, n_chans, 200)).astype(np.float32)
    y = [labels[i % len(labels)] for i in range(n)]
    Store.from_arrays(path, X, y, sfreq=100.0, subjects=[str(i // 12) for i in range(n)])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recipes")
    _store(path / "toy", 4)
    _store(path / "other", 6, ("left", "right", "feet"))
    return path


@pytest.fixture
def raw(folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.chdir(folder)
    Path("toy.yaml").write_text(RECIPE)
    return yaml.safe_load(RECIPE)


def _message(recipe: dict[str, Any]) -> str:
    with pytest.raises(RecipeError) as error:
        Recipe.of(recipe)
    return str(error.value)


def _at(recipe: dict[str, Any], place: str, **changes: Any) -> dict[str, Any]:
    """A copy with values set below a dotted place; None takes the key out."""
    changed = copy.deepcopy(recipe)
    node = changed
    for key in filter(None, place.split(".")):
        node = node[int(key)] if isinstance(node, list) else node.setdefault(key, {})
    for key, value in changes.items():
        node.pop(key, None)
        if value is not None:
            node[key] = value
    return changed


def test_what_the_data_settle_is_filled_into_encoder_and_objective(raw: dict[str, Any]) -> None:
    resolved = Recipe.of(raw).resolved
    assert [resolved["encoder"]["init_args"][key] for key in ("n_chans", "n_times")] == [4, 200]
    assert resolved["objective"]["init_args"]["n_outputs"] == 2


def test_a_saved_recipe_is_complete_and_gives_the_same_again(raw: dict[str, Any], tmp_path: Path) -> None:
    recipe = Recipe.of(raw)
    recipe.save(tmp_path / "recipe.yaml")
    saved = yaml.safe_load((tmp_path / "recipe.yaml").read_text())
    assert saved["encoder"]["init_args"]["n_chans"] == 4
    assert saved["scheduler"]["init_args"]["total_steps"] == 20
    assert saved["optimizer"]["init_args"]["weight_decay"] == 0.01
    assert Recipe.of(saved).resolved == saved


def test_a_value_that_contradicts_the_data_is_refused_and_both_are_named(raw: dict[str, Any]) -> None:
    message = _message(_at(raw, "encoder.init_args", n_chans=7))
    assert "encoder.init_args.n_chans is 7" in message
    assert "the data has n_chans 4" in message
    assert Recipe.of(_at(raw, "encoder.init_args", n_chans=4)).resolved["encoder"]["init_args"]["n_chans"] == 4


def test_a_schedule_that_contradicts_the_trainer_is_refused(raw: dict[str, Any]) -> None:
    assert "trainer.max_steps" in _message(_at(raw, "scheduler.init_args", total_steps=5))


def test_a_second_config_leaves_nothing_of_a_part_it_replaces() -> None:
    old = {"data": {"class_path": "a", "init_args": {"store": "x", "targets": ["old"]}}, "seed": 1}
    new = {"data": {"class_path": "a", "init_args": {"store": "y"}}}
    assert layered(old, new) == {**new, "seed": 1}
    assert layered(old, {"data": {"init_args": {"store": "y"}}})["data"]["init_args"] == {
        "store": "y",
        "targets": ["old"],
    }


def test_a_run_can_be_started_from_with_other_data(raw: dict[str, Any], tmp_path: Path) -> None:
    Recipe.of(_at(raw, "encoder.init_args", drop_prob=0.1)).save(tmp_path / "recipe.yaml")
    other = {"data": _at(raw, "data.init_args", store="other", batch_size=None)["data"]}
    (tmp_path / "other.yaml").write_text(yaml.safe_dump(other))
    resolved = Recipe.read([tmp_path / "other.yaml"], [("trainer.max_steps", "7")], from_run=tmp_path).resolved
    assert (resolved["encoder"]["init_args"]["n_chans"], resolved["encoder"]["init_args"]["drop_prob"]) == (6, 0.1)
    assert (resolved["objective"]["init_args"]["n_outputs"], resolved["data"]["init_args"]["batch_size"]) == (3, 64)
    assert resolved["scheduler"]["init_args"]["total_steps"] == 7
    assert resolved["name"] == "other"


@pytest.mark.parametrize(
    ("place", "changes", "place_said", "repair"),
    [
        ("", {"encodr": {}}, "encodr", "'encoder'"),
        ("", {"batch_size": 8}, "batch_size", "data.init_args.batch_size"),
        ("data.init_args", {"batch_szie": 8}, "data.init_args.batch_szie", "'batch_size'"),
        ("data.init_args", {"batch_size": "sixty"}, "data.init_args.batch_size", "64 (the default)"),
        ("data.init_args", {"batch_size": "64"}, "data.init_args.batch_size", "write 64 without quotes"),
        ("data.init_args", {"batch_size": -1}, "data.init_args.batch_size", "for example 64"),
        ("data.init_args", {"targets": "trial_type"}, "data.init_args.targets", "[trial_type]"),
        ("data.init_args", {"targets": ["trial_typ"]}, "data", "'trial_type'"),
        ("data.init_args", {"store": "toi"}, "data.init_args.store", "'toy'"),
        ("data.init_args", {"fields": {"start": 0.0, "stop": 1.0}}, "data.init_args.fields", "fields: {signal: {start: 0.0, stop: 1.0}}"),
        ("data.init_args.fields.signal", {"stpo": 1.0}, "data.init_args.fields.signal.stpo", "'stop'"),
        ("data.init_args.transforms.1.init_args", {"limit": -1.0}, "data.init_args.transforms[1].init_args.limit", "20.0"),
        ("data.init_args.transforms.1", {"limit": 3.0}, "data.init_args.transforms[1].limit", "move it into init_args"),
        ("data.init_args.split", {"class_path": "data_loaders.splits.Bye"}, "data.init_args.split.class_path", "By'"),
        ("data.init_args.windows", {"class_path": "torch.optim.AdamW"}, "data.init_args.windows.class_path", "data_loaders.windows.Around"),
        ("encoder", {"class_pth": "x"}, "encoder.class_pth", "init_args"),
        ("encoder", {"class_path": "brainfm.encoders.eegnet.EEGNte"}, "encoder.class_path", "'brainfm.encoders.eegnet.EEGNet'"),
        ("encoder", {"class_path": "EEGNeX"}, "encoder.class_path", "'brainfm.encoders.eegnex.EEGNeX'"),
        ("encoder.init_args", {"max_steps": 3}, "encoder.init_args.max_steps", "trainer"),
        ("optimizer", {"class_path": "torch.optm.AdamW"}, "optimizer.class_path", "'torch.optim.AdamW'"),
        ("optimizer.init_args", {"lr": -1.0}, "optimizer.init_args.lr", "0.001 (the default)"),
        ("scheduler.init_args", {"anneal_strategy": "cosine"}, "scheduler.init_args.anneal_strategy", "'cos', 'linear'"),
        ("trainer", {"max_steps": 0}, "trainer.max_steps", "at least 1"),
        ("", {"seed": -1}, "seed", "for example 0"),
        ("", {"prepare": {"sorce": "meg"}}, "prepare.sorce", "'source'"),
    ],
)  # fmt: skip
def test_an_error_names_the_place_and_the_repair(
    raw: dict[str, Any], place: str, changes: dict[str, Any], place_said: str, repair: str
) -> None:
    message = _message(_at(raw, place, **changes))
    assert message.startswith(place_said)
    assert repair in message


@pytest.mark.parametrize("key", ["data", "encoder", "objective", "optimizer"])
def test_a_missing_part_is_named_with_an_example_that_exists(raw: dict[str, Any], key: str) -> None:
    message = _message(_at(raw, "", **{key: None}))
    assert message.startswith(f"{key} is missing")
    assert f"`{key}: {{class_path: " in message


def test_a_key_of_the_command_line_sets_a_value_and_is_named_when_wrong(raw: dict[str, Any]) -> None:
    recipe = Recipe.read(["toy.yaml"], [("data.batch_size", "8"), ("data.transforms.1.limit", "1e1"), ("seed", "3")])
    assert recipe.resolved["data"]["init_args"]["batch_size"] == 8
    assert recipe.resolved["data"]["init_args"]["transforms"][1]["init_args"]["limit"] == 10.0
    assert recipe.seed == 3
    with pytest.raises(RecipeError, match=r"command line, --data.batch_size: data.init_args.batch_size is 'many'"):
        Recipe.read(["toy.yaml"], [("data.batch_size", "many")])
    Path("toy.yaml").write_text(RECIPE.replace("EEGNet", "EEGNat"))
    with pytest.raises(RecipeError, match=r"toy.yaml: encoder"):
        Recipe.read(["toy.yaml"], [("data.batch_size", "8")])


def test_another_encoder_on_the_command_line_leaves_no_argument_of_the_old_one(raw: dict[str, Any]) -> None:
    stated = _at(raw, "encoder.init_args", drop_prob=0.3)
    assert overridden(stated, [("encoder", "a.B")])["encoder"] == {"class_path": "a.B"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\nb: [1, 2\nc: 3\n", "close every bracket"),
        ("a: 1\n\tb: 2\n", "two spaces"),
        ("a: 1\na: 2\n", "'a' stands twice"),
    ],
)
def test_broken_yaml_is_named_with_its_line(text: str, said: str) -> None:
    with pytest.raises(RecipeError, match=rf"x.yaml, line \d.*{said}"):
        load(text, "x.yaml")


def test_a_number_may_be_written_with_an_exponent_alone() -> None:
    assert load("{a: 1e-3, b: 4E2, c: e3}", "") == {"a": 0.001, "b": 400.0, "c": "e3"}


def test_debugging_keeps_one_fold_of_few_windows_and_few_steps(raw: dict[str, Any]) -> None:
    long = _at(_at(raw, "trainer", max_steps=5000), "data.init_args", batch_size=512)
    recipe = Recipe.of(long | {"debug": True})
    assert (recipe.trainer["max_steps"], len(recipe.data.folds), recipe.data.batch_size) == (10, 1, 16)
    assert Recipe.of(recipe.resolved).resolved == recipe.resolved


def test_fresh_objectives_have_new_weights_and_the_counts_of_the_fold(raw: dict[str, Any]) -> None:
    recipe = Recipe.of(_at(raw, "objective.init_args", class_weights="balanced"))
    recipe.data.use(0, 0)
    torch.manual_seed(1)
    one, two = recipe.fresh_objective(), recipe.fresh_objective()
    assert not torch.equal(one.head.weight, two.head.weight)
    assert torch.allclose(one.class_weights, torch.ones(2), atol=0.2)


def test_one_batch_of_a_recipe_gives_a_loss_near_that_of_guessing(raw: dict[str, Any]) -> None:
    assert 0.3 < Recipe.of(raw).rehearse()["loss"] < 2.0
