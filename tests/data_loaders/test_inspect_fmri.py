"""What a folder of scans holds, and a recipe for it that runs: for blocks of pictures, for people, for a stream."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from data_loaders.inspect import inspect, starter_recipe
from data_loaders.prepare import prepare

REGIONS = [f"r{i}" for i in range(6)]


def scans(folder: Path, n_people: int, sidecar: dict[str, Any], n_volumes: int = 320) -> Path:
    """Tables of six regions that follow a code, which changes every 8 volumes."""
    folder.mkdir()
    for person in range(n_people):
        rng = np.random.default_rng(person)
        code = np.repeat(np.tile([1, 2], n_volumes // 16), 8)
        values = pd.DataFrame(rng.standard_normal((n_volumes, 6)) + code[:, None], columns=REGIONS)
        values.assign(code=code).to_csv(folder / f"p{person:02d}.csv", index=False)
    table = pd.DataFrame({"ID": [f"p{i:02d}" for i in range(n_people)], "age": np.linspace(20, 60, n_people).round(1)})
    table.to_csv(folder.parent / "people.csv", index=False)
    (folder / "brainfm.yaml").write_text(yaml.safe_dump({"modality": "fmri", "tr": 2.0, "columns": REGIONS} | sidecar))
    return folder


@pytest.mark.parametrize(
    ("n_people", "sidecar", "target", "window", "transform"),
    [
        (
            1,
            {"labels": {"trial_type": "code", "names": {1: "face", 2: "house"}}},
            "events.trial_type",
            (4.0, 20.0),
            "RobustScale",
        ),
        (
            9,
            {"participants": {"file": "../people.csv", "subject": "ID"}},
            "participants.age",
            (0.0, 60.0),
            "Connectome",
        ),
        (1, {"streams": {"loudness": {"columns": ["code"]}}}, "stream.loudness", (2.0, 10.0), "RobustScale"),
    ],
)
def test_the_recipe_suits_slow_signals_and_runs(tmp_path, monkeypatch, n_people, sidecar, target, window, transform):
    from brainfm.recipe import Recipe

    summary = inspect(scans(tmp_path / "in", n_people, sidecar))
    text = starter_recipe(summary, "store")
    stated = yaml.safe_load(text)
    data = stated["data"]["init_args"]
    assert data["targets"] == [target]
    assert (data["fields"]["signal"]["start"], data["fields"]["signal"]["stop"]) == window
    assert data["transforms"][0]["class_path"].endswith(transform)
    assert stated["encoder"]["class_path"].endswith("Linear")
    monkeypatch.chdir(tmp_path)
    prepare(tmp_path / "in", "store")
    Path("starter.yaml").write_text(text)
    losses = Recipe.read([Path("starter.yaml")]).rehearse()
    assert losses["loss"] == pytest.approx(losses["loss"], nan_ok=False)
