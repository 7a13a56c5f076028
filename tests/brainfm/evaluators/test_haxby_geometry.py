"""Category encoding and the geometry of categories in real recordings, by the recipe that ships."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from brainfm.cli import main
from data_loaders.prepare import prepare


def test_voxels_and_the_geometry_of_categories_are_predicted_above_chance(
    shared_data: Callable[[str], Path], tmp_path: Path
) -> None:
    prepare(shared_data("haxby_slice"), tmp_path / "store", sidecar="haxby_slice")
    few = [
        "--evaluators.0.n_permutations",
        "20",
        "--evaluators.0.n_bootstraps",
        "50",
        "--evaluators.1.n_permutations",
        "20",
    ]
    store, run = ["--data.store", str(tmp_path / "store")], tmp_path / "run"
    assert main(["fit", "--config", "encode/haxby_categories", *store, *few, "--out", str(run)]) == 0
    rows = pd.read_csv(run / "scores.csv").query("target == 'geometry'")
    means = rows.groupby("metric")[["value", "chance", "ceiling"]].mean()
    assert means.loc["rsa", "value"] > means.loc["rsa", "chance"] + 0.2
    assert 0 < means.loc["rsa", "ceiling"] < 1
    assert means.loc["cka", "value"] > means.loc["cka", "chance"] + 0.1
    table = pd.read_csv(run / "channels.csv")
    assert table["channel"].nunique() == 530
    assert list((run / "maps").glob("*_pearson_r.nii.gz"))
    page = (run / "report.html").read_text()
    assert "Maps of the brain of 1 subject" in page
    assert "rsa" in page
