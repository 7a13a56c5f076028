"""A run made public: a card with every number and its doubt, a manifest that programs read, and no predictions."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from brainfm import hub
from brainfm.run.fit import fit
from brainfm.run.publish import publish


@pytest.fixture(scope="module")
def run(recipe, tmp_path_factory) -> Path:
    return fit(recipe(), tmp_path_factory.mktemp("runs") / "run")


def test_the_card_has_every_model_beside_chance_with_its_interval(run, tmp_path):
    text = (publish(run, tmp_path / "toy", "cc-by-4.0") / "card.md").read_text()
    assert text.startswith("---\nlicense: cc-by-4.0\nlibrary_name: brainfm\n")
    rows = [line for line in text.splitlines() if line.startswith(("| EEGNet", "| log-variance"))]
    assert len(rows) == 2
    assert all(" to " in row and "0.50" in row for row in rows)


def test_the_manifest_names_data_weights_and_scores(run, tmp_path):
    found = yaml.safe_load((publish(run, tmp_path / "toy", "mit") / "manifest.yaml").read_text())
    assert found["weights"] is None
    assert set(found["data"]) == {f"sub-{name}" for name in "abcdef"}
    assert all(len(fold["sha256"]) == 64 for fold in found["folds"].values())
    assert {row["metric"] for row in found["scores"]} >= {"balanced_accuracy", "auroc"}


def test_weights_are_sent_and_predictions_are_not(run, tmp_path, monkeypatch):
    sent = {}
    monkeypatch.setattr(hub, "push", lambda repo, files, message: sent.update(files) or f"hf://{repo}@abc")
    out = publish(run, tmp_path / "toy", "mit", "lab/toy")
    assert {"README.md", "recipe.yaml", "fold-0/model.safetensors", "fold-1/manifest.json"} <= set(sent)
    assert not any("predictions" in name for name in sent)
    assert "brainfm predict hf://lab/toy@abc" in (out / "card.md").read_text()


def test_nothing_is_written_where_the_hub_refuses(run, tmp_path, monkeypatch):
    def refuse(*args):
        raise ValueError("lab/toy was not published")

    monkeypatch.setattr(hub, "push", refuse)
    with pytest.raises(ValueError, match="was not published"):
        publish(run, tmp_path / "toy", "mit", "lab/toy")
    assert not (tmp_path / "toy").exists()
