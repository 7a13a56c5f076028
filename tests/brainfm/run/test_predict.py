"""A finished run, used again: the same scores from its saved weights, and predictions on recordings old and new."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from brainfm import checkpoints
from brainfm.cli import main
from brainfm.run.elsewhere import predict_elsewhere
from brainfm.run.fit import fit
from brainfm.run.predict import evaluate, predict
from data_loaders.store import Store


@pytest.fixture(scope="module")
def run(recipe, tmp_path_factory) -> Path:
    return fit(recipe(), tmp_path_factory.mktemp("runs") / "run")


@pytest.fixture
def copied(run, tmp_path) -> Path:
    return Path(shutil.copytree(run, tmp_path / "copied"))


def test_evaluating_gives_the_scores_of_the_fit_to_the_last_bit(run, copied):
    for path in copied.glob("**/*.parquet"):
        path.unlink()
    (copied / "summary.csv").unlink()
    evaluate(copied)
    for name in ("fold-0/scores.parquet", "fold-1/predictions.parquet"):
        pd.testing.assert_frame_equal(pd.read_parquet(run / name), pd.read_parquet(copied / name), rtol=0, atol=0)
    for name in ("scores.csv", "summary.csv"):
        assert (run / name).read_text() == (copied / name).read_text()


def test_predictions_of_the_test_windows_are_those_that_were_scored(run):
    table = predict(run)
    scored = pd.concat(pd.read_parquet(run / f"fold-{k}" / "predictions.parquet") for k in range(2))
    scored = scored[scored["model"] == "EEGNet"].reset_index()
    joined = table.merge(scored, on=["window_id", "fold"], suffixes=("", "_scored"), validate="one_to_one")
    assert len(joined) == 72
    np.testing.assert_allclose(joined["p_work"], joined["p_work_scored"], rtol=0, atol=0)
    assert (joined["truth"] == joined["truth_scored"]).all()


def test_the_table_is_keyed_by_recording_and_time_and_written_twice(run):
    table = predict(run)
    assert list(table.columns) == [
        "window_id",
        "fold",
        "recording_name",
        "subject",
        "onset_s",
        "truth",
        "p_rest",
        "p_work",
    ]
    first = table[table["recording_name"] == "sub-a"]
    np.testing.assert_allclose(first["onset_s"], np.arange(12.0))
    pd.testing.assert_frame_equal(pd.read_parquet(run / "predictions.parquet"), table)
    assert len(pd.read_csv(run / "predictions.csv")) == 72


def test_one_fold_can_be_asked_for(run):
    assert set(predict(run, fold=1)["fold"]) == {1}
    with pytest.raises(ValueError, match="fold is 2, the run has 2: name one from 0 to 1"):
        predict(run, fold=2)


def test_recordings_of_another_store_are_predicted_by_each_folds_model(run, other_store):
    table = predict_elsewhere(run, other_store)
    assert table.groupby("fold").size().to_dict() == {0: 72, 1: 72}
    assert set(table["subject"]) == set("uvwxyz")
    assert (run / "predictions-other.csv").exists()
    assert set(table["truth"]) == {"rest", "work"}


def test_a_store_without_labels_is_predicted_without_truth(run, unlabelled_store, capsys):
    table = predict_elsewhere(run, unlabelled_store, fold=0)
    assert "truth" not in table.columns
    assert len(table) == 12
    assert "predicted without truth, because" in capsys.readouterr().out


def test_other_recordings_need_the_weights_and_not_the_training_data(run, other_store, tmp_path):
    far = Path(shutil.copytree(run, tmp_path / "far", ignore=shutil.ignore_patterns("predictions-*")))
    recipe = yaml.safe_load((far / "recipe.yaml").read_text())
    recipe["data"]["init_args"]["store"] = "stores/far-away"
    (far / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    expected = predict_elsewhere(run, other_store)
    pd.testing.assert_frame_equal(predict_elsewhere(far, other_store, out=tmp_path), expected, rtol=0, atol=0)
    assert (tmp_path / "predictions-other.parquet").exists()
    assert not (far / "predictions-other.parquet").exists()


def test_channels_that_are_not_those_of_training_are_told(run, other_store, tmp_path, capsys):
    predict_elsewhere(run, other_store, fold=0, out=tmp_path)
    assert "other channels" not in capsys.readouterr().out
    X = np.random.default_rng(0).standard_normal((12, 3, 100)) * 1e-5
    names = Store(other_store).entry(0).ch_names
    Store.from_arrays(tmp_path / "turned", X, sfreq=100.0, subjects=["z"] * 12, ch_names=names[::-1])
    predict_elsewhere(run, tmp_path / "turned", fold=0, out=tmp_path)
    assert f"the first is {names[2]} where {names[0]} was" in capsys.readouterr().out


def test_the_saved_transforms_are_those_that_are_used(copied):
    folder = copied / "fold-0"
    before = predict(copied, fold=0)["p_work"]
    states = checkpoints.load_transforms(folder)
    from safetensors.numpy import save_file

    save_file({**states, "0.scale": states["0.scale"] * 2}, folder / "transforms.safetensors")
    assert not np.allclose(before, predict(copied, fold=0)["p_work"])


def test_a_store_that_has_changed_since_is_refused(recipe, run, copied, other_store, monkeypatch):
    manifest = checkpoints.read_manifest(copied / "fold-0")
    manifest["trained_on"]["sha256"][0] = "0" * 64
    monkeypatch.setattr(checkpoints, "read_manifest", lambda folder: manifest)
    with pytest.raises(ValueError, match=r"no longer holds 1 of the 3 recordings that .*fold-0 was trained on"):
        predict(copied)


def test_weights_that_do_not_fit_the_recipe_are_refused(copied):
    from safetensors.torch import load_file, save_file

    path = copied / "fold-0" / "model.safetensors"
    save_file({**load_file(path), "extra": torch.zeros(1)}, path)
    with pytest.raises(ValueError, match="unexpected: extra"):
        evaluate(copied)


def test_a_run_is_judged_by_other_evaluators_and_its_recipe_says_so(copied, capsys):
    before = (copied / "fold-0" / "model.safetensors").read_bytes()
    assert main(["evaluate", str(copied), "--evaluators.0.metrics", "[accuracy]", "--data.batch_size", "7"]) == 0
    assert set(pd.read_csv(copied / "summary.csv")["metric"]) == {"accuracy"}
    assert (copied / "fold-0" / "model.safetensors").read_bytes() == before
    noted = yaml.safe_load((copied / "recipe.yaml").read_text())
    assert noted["evaluators"][0]["init_args"]["metrics"] == ["accuracy"]
    assert noted["data"]["init_args"]["batch_size"] == 16, "what only carries batches is not noted"
    assert "evaluators: noted in" in capsys.readouterr().out
    again = (copied / "summary.csv").read_text()
    assert main(["evaluate", str(copied)]) == 0
    assert (copied / "summary.csv").read_text() == again


@pytest.mark.parametrize(
    "flag", ["--encoder.taps", "--data.split.n_folds", "--data.transforms", "--seed", "--data.fields.signal.stop"]
)
def test_what_was_trained_cannot_be_set_anew(copied, flag, capsys):
    before = {path: path.read_bytes() for path in copied.rglob("*") if path.is_file()}
    for verb in ("evaluate", "predict"):
        assert main([verb, str(copied), flag, "1"]) == 2
        assert f"{flag} decided what" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in copied.rglob("*") if path.is_file()} == before


def test_of_other_recordings_some_may_be_chosen_and_of_its_own_none(run, other_store, capsys):
    command = ["predict", str(run), "--fold", "0", "--data.subjects", "[u, v]"]
    assert main([*command, "--store", str(other_store), "--data.batch_size", "5", "--data.targets", "[]"]) == 0
    table = pd.read_csv(run / "predictions-other.csv")
    assert set(table["subject"]) == {"u", "v"}
    assert "truth" not in table
    assert main(command) == 2
    assert "--data.subjects decided what" in capsys.readouterr().err
