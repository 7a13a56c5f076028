"""A run: the same numbers from the same seed, whenever and however often it was killed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from brainfm import checkpoints
from brainfm.recipe import Recipe
from brainfm.run.fit import fit
from brainfm.run.judge import show
from brainfm.run.train import Steps
from data_loaders.leakage import LeakageError
from data_loaders.locks import alone


def outcome(run: Path) -> dict[str, pd.DataFrame]:
    """Everything that a run has measured."""
    tables = {path.relative_to(run).as_posix(): pd.read_parquet(path) for path in sorted(run.glob("fold-*/*.parquet"))}
    curves = {path.relative_to(run).as_posix(): pd.read_csv(path) for path in sorted(run.glob("fold-*/history.csv"))}
    return {**tables, **curves, "summary.csv": pd.read_csv(run / "summary.csv")}


def same(one: Path, other: Path) -> bool:
    """True where two runs measured the same to the last bit, with the same weights."""
    a, b = outcome(one), outcome(other)
    weights = [[load_file(run / f"fold-{k}" / "model.safetensors") for k in range(2)] for run in (one, other)]
    equal = [torch.equal(x[name], y[name]) for x, y in zip(*weights, strict=True) for name in x]
    return a.keys() == b.keys() and all(a[name].equals(b[name]) for name in a) and all(equal)


@pytest.fixture(scope="module")
def whole(recipe, tmp_path_factory) -> Path:
    """An uninterrupted run."""
    return fit(recipe(), tmp_path_factory.mktemp("runs") / "whole", ["brainfm", "fit"])


def test_a_run_leaves_all_that_is_needed_to_know_it_and_nothing_of_the_training(whole):
    assert {path.name for path in whole.iterdir()} == {
        "fold-0", "fold-1", "recipe.yaml", "provenance.json", "scores.csv", "summary.csv", "report.html",
    }  # fmt: skip
    assert {path.name for path in (whole / "fold-1").iterdir()} == {
        "history.csv", "manifest.json", "model.safetensors", "predictions.parquet", "scores.parquet", "transforms.safetensors",
    }  # fmt: skip


def test_every_window_is_tested_once_by_every_model(whole):
    table = pd.concat(pd.read_parquet(whole / f"fold-{k}" / "predictions.parquet") for k in range(2)).reset_index()
    assert table.groupby("model")["window_id"].agg(["size", "nunique"]).to_numpy().tolist() == [[72, 72], [72, 72]]
    assert set(table["model"]) == {"EEGNet", "log-variance + LDA"}


def test_the_same_seed_gives_the_same_scores_to_the_last_bit(recipe, whole, tmp_path):
    assert same(whole, fit(recipe(), tmp_path / "again"))


def test_another_seed_gives_another_order_and_other_weights(recipe, whole, tmp_path):
    first, other = recipe(), recipe(seed=1)
    other_run = fit(other, tmp_path / "other")
    assert not same(whole, other_run)
    for made in (first, other):
        made.data.use(0, made.seed)
    orders = [next(iter(made.data.train_dataloader())).window_id for made in (first, other)]
    assert not torch.equal(*orders)


def test_a_run_killed_over_and_over_ends_with_the_scores_of_one_that_was_not(recipe, whole, tmp_path):
    recipe().save(tmp_path / "recipe.yaml")
    command = [sys.executable, Path(__file__).with_name("killed.py"), tmp_path / "recipe.yaml", tmp_path / "run"]
    found = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    said = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True, env=found).stdout
    killed = int(said.splitlines()[-1].removeprefix("killed "))
    assert killed >= 5
    assert "done before, skipped" in said
    assert same(whole, tmp_path / "run")


@pytest.fixture(scope="module")
def plain(recipe, tmp_path_factory):
    """Runs a recipe without evaluators, of a model that treats every window alike, and gives the curve of its first fold."""

    def run(batch_size: int, **trainer) -> pd.DataFrame:
        encoder = {"class_path": "brainfm.encoders.gru.GRU", "init_args": {"dropout": 0.0}}
        made = recipe(encoder=encoder, evaluators=None, trainer=trainer).resolved
        made["data"]["init_args"]["batch_size"] = batch_size
        return pd.read_csv(fit(Recipe.of(made), tmp_path_factory.mktemp("plain") / "run") / "fold-0" / "history.csv")

    return run


def test_batches_that_are_summed_into_a_step_train_like_one_of_their_size(plain):
    pd.testing.assert_frame_equal(plain(8, accumulate_grad_batches=2), plain(16), rtol=1e-4)


def test_the_order_goes_on_where_limit_train_batches_ends_an_epoch(plain, monkeypatch):
    epochs, begin = [], Steps.__iter__
    monkeypatch.setattr(Steps, "__iter__", lambda steps: epochs.append(steps) or begin(steps))
    whole, n = plain(16), len(epochs)
    pd.testing.assert_frame_equal(plain(16, limit_train_batches=2), whole)
    assert len(epochs) - 2 * n == 2 * 2, "five steps are three epochs of two, in each of two folds"


def test_finished_folds_are_skipped_with_a_line(recipe, whole, capsys):
    before = (whole / "fold-0" / "scores.parquet").stat().st_mtime_ns
    fit(recipe(), whole)
    assert "fold 1 of 2: done before, skipped" in capsys.readouterr().out
    assert (whole / "fold-0" / "scores.parquet").stat().st_mtime_ns == before


def test_a_folder_of_another_recipe_is_refused_with_the_key_that_differs(recipe, whole):
    with pytest.raises(ValueError, match=r"belongs to another recipe: seed is 0 there and 1 here.*--out"):
        fit(recipe(seed=1), whole)


def test_a_monitor_of_the_test_part_is_refused(recipe, tmp_path):
    with pytest.raises(LeakageError, match="must not choose anything"):
        fit(recipe(trainer={"monitor": "test/loss"}), tmp_path / "run")


def test_a_debugging_run_goes_to_a_folder_of_its_own_and_starts_afresh(recipe, tmp_path, capsys):
    assert fit(recipe(debug=True), tmp_path / "run") == tmp_path / "run-debug"
    assert not (tmp_path / "run").exists()
    capsys.readouterr()
    fit(recipe(debug=True, seed=1), tmp_path / "run")
    assert "skipped" not in capsys.readouterr().out


def test_the_manifest_says_what_the_weights_were_trained_on(whole):
    manifest = checkpoints.read_manifest(whole / "fold-0")
    tested = set(pd.read_parquet(whole / "fold-0" / "predictions.parquet")["subject"])
    trained = {subject.partition("/")[2] for subject in manifest["trained_on"]["subjects"]}
    assert trained | tested == set("abcdef")
    assert not trained & tested
    assert manifest["targets"][0]["classes"] == ["rest", "work"]
    assert manifest["best"]["step"] in (2, 4)
    scores = pd.read_parquet(whole / "fold-0" / "scores.parquet").query("model == 'EEGNet' and metric == 'auroc'")
    assert manifest["scores"]["trial_type"]["auroc"] == pytest.approx(scores["value"].mean())


def test_a_frozen_stage_is_built_from_a_fold_of_a_run(whole):
    frozen = checkpoints.Frozen(whole / "fold-0")
    weights = load_file(whole / "fold-0" / "model.safetensors")
    assert torch.equal(frozen.stage.state_dict()["head.weight"], weights["head.weight"])


def test_an_encoder_starts_from_another_run_where_no_test_subject_was_seen(recipe, other_store, tmp_path):
    source = fit(recipe(store=other_store), tmp_path / "source") / "fold-0"
    run = fit(
        recipe(init_from=str(source), optimizer={"init_args": {"lr": 1e-12, "weight_decay": 0.0}}), tmp_path / "run"
    )
    before, after = (load_file(path / "model.safetensors") for path in (source, run / "fold-0"))
    moving = ("running_mean", "running_var", "num_batches_tracked")
    for name in (name for name in before if name.startswith("encoder.") and not name.endswith(moving)):
        np.testing.assert_allclose(before[name], after[name], atol=1e-6)


def test_an_encoder_that_has_seen_a_test_subject_is_refused(recipe, whole, tmp_path):
    with pytest.raises(LeakageError, match="the checkpoint was trained on"):
        fit(recipe(init_from=str(whole / "fold-1")), tmp_path / "run")


def test_of_a_run_of_several_folds_the_fold_of_the_same_number_is_taken(recipe, other_store, tmp_path, capsys):
    source = fit(recipe(store=other_store), tmp_path / "source")
    fit(recipe(init_from=str(source), trainer={"max_steps": 2}), tmp_path / "run")
    told = capsys.readouterr().out
    assert all(f"filled from {source}/fold-{k}" in told for k in range(len(list(source.glob("fold-*")))))
    manifest = checkpoints.read_manifest(tmp_path / "run" / "fold-0")["trained_on"]
    assert set(checkpoints.read_manifest(source / "fold-0")["trained_on"]["sha256"]) < set(manifest["sha256"])


def test_what_is_frozen_does_not_learn_and_what_is_new_is_not_filled(recipe, other_store, tmp_path, capsys):
    source = fit(recipe(store=other_store), tmp_path / "source") / "fold-0"
    run = fit(recipe(init_from=str(source), freeze=["encoder"], init_new=["conv_1"]), tmp_path / "run")
    before, after = (load_file(path / "model.safetensors") for path in (source, run / "fold-0"))
    moving = ("running_mean", "running_var", "num_batches_tracked")
    same = {n: np.allclose(before[n], after[n]) for n in before if n.startswith("encoder.") and not n.endswith(moving)}
    new = {name for name in same if name.startswith("encoder.conv_1")}
    assert new
    assert not any(same[name] for name in new)
    assert all(same[name] for name in same if name not in new)
    assert "left new" in capsys.readouterr().out
    with pytest.raises(ValueError, match="freeze names 'head9'"):
        fit(recipe(freeze=["head9"]), tmp_path / "other")


def test_a_recipe_without_evaluators_trains_and_says_where_the_weights_are(recipe, tmp_path, capsys):
    run = fit(recipe(evaluators=[], trainer={"max_steps": 2}), tmp_path / "run")
    assert f"weights: {run}/fold-*/model.safetensors" in capsys.readouterr().out


def test_the_table_shows_the_leading_metric_with_interval_and_chance(whole, capsys):
    from brainfm.run.folder import RunFolder

    show(RunFolder(whole), pd.read_csv(whole / "summary.csv"))
    lines = capsys.readouterr().out.splitlines()
    header = next(line for line in lines if "model" in line)
    assert [cell.strip() for cell in header.split("┃")[1:-1]] == [
        "model",
        "balanced_accuracy",
        "95 % interval",
        "chance",
        "auroc",
    ]
    assert any("EEGNet" in line for line in lines)
    assert lines[-1] == f"report: {whole}/report.html"


def test_a_run_that_another_process_trains_is_refused(recipe, tmp_path):
    with alone(tmp_path / "run"), pytest.raises(ValueError, match="run is in use by process"):
        fit(recipe(), tmp_path / "run")
    assert not (tmp_path / "run").exists()
