"""Scores of embeddings: bits from draws, consistency from points, each beside its control."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from brainfm.evaluators.consistency import Consistency
from brainfm.evaluators.goodness_of_fit import GoodnessOfFit
from data_loaders.contracts import Batch

TABLE = pd.DataFrame({"fold": [0, 0], "seed": [3, 3]}, index=pd.Index([1, 2], name="window_id"))


@dataclass(frozen=True)
class Value:
    name: str = "position"
    classes: tuple[str, ...] = ()
    names: tuple[str, ...] = ("position",)


def test_bits_are_averaged_over_draws_and_stand_beside_the_control() -> None:
    evaluator = GoodnessOfFit()
    evaluator.begin("Offset", [], {})
    for bits in (1.0, 2.0):
        loss = (8 - bits) * np.log(2)
        evaluator.measure("", {"loss": loss + 0.5, "align": -1.0, "uniform": loss + 1.0, "bits": bits})
    evaluator.measure("shuffle control", {"loss": 8 * np.log(2), "align": 0.0, "uniform": 8 * np.log(2), "bits": 0.0})
    rows = evaluator.compute(TABLE).rows.set_index(["model", "metric"])
    assert rows.loc[("Offset", "bits"), "value"] == pytest.approx(1.5)
    assert rows.loc[("Offset", "infonce"), "value"] == pytest.approx(6.5 * np.log(2))
    assert rows.loc[("Offset", "infonce"), "chance"] == pytest.approx(8 * np.log(2))
    assert rows.loc[("shuffle control", "bits"), "value"] == 0
    folds = pd.concat([rows.reset_index().assign(fold=k, value=lambda t, k=k: t["value"] + k) for k in (0, 1, 2)])
    line = evaluator.summarise(evaluator.predictions, folds).iloc[0]
    assert (line["value"], line["low"] < line["value"] < line["high"]) == (pytest.approx(2.5), True)


@pytest.mark.parametrize("same", [True, False])
def test_consistency_sees_whether_sessions_share_a_geometry(same: bool, as_batch: Callable[..., Batch]) -> None:
    evaluator = Consistency("position", n_bins=10)
    evaluator.begin("Offset", [Value()], {})
    rng = np.random.default_rng(0)
    label = np.tile(np.linspace(0, 1, 40), 10)
    circle = np.stack([np.cos(5 * label), np.sin(5 * label)], 1)
    for session in (0, 1):
        points: Any = circle if same or session == 0 else np.stack([np.cos(30 * label), np.sin(30 * label)], 1)
        batch = as_batch(torch.zeros(400, 1, 1), position=torch.from_numpy(label)[:, None])
        batch = replace(batch, session_id=torch.full((400,), session))
        evaluator.embedded("", points + 0.05 * rng.standard_normal((400, 2)), batch)
    rows = evaluator.compute(TABLE).rows.set_index("metric")["value"]
    assert (rows["r2"] > 0.9) == same
    assert rows["r2_in_sample"] >= rows["r2"]


def test_a_label_that_is_no_target_and_a_single_session_are_refused(as_batch: Callable[..., Batch]) -> None:
    with pytest.raises(ValueError, match=r"add it to data\.targets"):
        Consistency("speed").begin("Offset", [Value()], {})
    evaluator = Consistency("position")
    evaluator.begin("Offset", [Value()], {})
    batch = replace(
        as_batch(torch.zeros(4, 1, 1), position=torch.zeros(4, 1)), session_id=torch.zeros(4, dtype=torch.long)
    )
    evaluator.embedded("", np.zeros((4, 2)), batch)
    with pytest.raises(ValueError, match="the test part has one"):
        evaluator.compute(TABLE)
