"""The page of a grid of encoding models: which layer is best and how that was chosen, and how steeply channels rise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from brainfm.report.grid_brain import slopes
from brainfm.report.layers import chosen_elsewhere


def test_the_layer_that_drives_the_voxels_is_marked_and_how_it_was_chosen_is_told(encoding_grid: Path) -> None:
    page = (encoding_grid / "report.html").read_text()
    layers = page[page.index("<h2>Layers</h2>") : page.index("<h2>Laws</h2>")]
    marked = layers[layers.index('class="ours"') :]
    assert marked.startswith('class="ours"><th scope="row">lm</th><td>layer2</td>')
    assert "a best of many is too good" in layers
    assert "Chosen for each subject by the other subjects alone" in layers
    assert "layer2 for 3 of 3 subjects" in layers


def test_a_layer_chosen_on_others_does_not_profit_from_its_own_luck() -> None:
    rng = np.random.default_rng(0)
    rows = pd.DataFrame([(f"{s}", f"lm.layer{k}", rng.standard_normal()) for s in range(12) for k in range(40)])
    rows.columns = pd.Index(["subject", "source", "score"])
    found = chosen_elsewhere(rows, "source")
    assert found is not None
    assert rows.groupby("source")["score"].mean().max() > 0.4  # the best of forty layers of noise
    assert found[0] < 0.25
    assert chosen_elsewhere(rows[rows["subject"] < "2"].assign(subject="1", fold=0), "source") is None


def test_slopes_are_those_of_a_line_through_the_logarithm() -> None:
    table = pd.DataFrame({"x": [1.0, 10, 100], "score": [0.1, 0.3, 0.5], "subject": "1", "channel": "a"})
    found = slopes(table)
    assert found.loc[0, "slope"] == pytest.approx(0.2)
    assert found.loc[0, "last"] == 0.5
