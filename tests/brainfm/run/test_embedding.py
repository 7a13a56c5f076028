"""A contrastive recipe, carried out: read out, judged beside baselines and a shuffle control, drawn, judged again."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from brainfm.recipe import Recipe
from brainfm.run.fit import fit
from brainfm.run.predict import evaluate
from data_loaders.contracts import Recording, Stream
from data_loaders.writer import Writer


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Two sessions of one animal: 8 and 6 channels that follow a place on a ring."""
    with Writer(tmp_path / "store") as writer:
        for session, n_chans in (("1", 8), ("2", 6)):
            rng = np.random.default_rng(int(session))
            turn = np.cumsum(rng.standard_normal(900) * 0.1 + 0.05)
            place = np.stack([np.cos(turn), np.sin(turn)], 1)
            signal = place @ rng.standard_normal((2, n_chans)) + 0.3 * rng.standard_normal((900, n_chans))
            names = tuple(f"c{i}" for i in range(n_chans))
            writer.write(
                Recording(
                    study="T", subject="1", session=session, modality="calcium", sfreq=10.0, duration=90.0, signal=signal,
                    ch_names=names, ch_types=("cell",) * n_chans, units=("",) * n_chans, streams={"place": Stream(place, 10.0)},
                )
            )  # fmt: skip
    return tmp_path / "store"


def recipe(store: Path, **changes: dict) -> Recipe:
    data = {
        "store": str(store), "windows": {"class_path": "data_loaders.windows.Tile", "init_args": {"stride": 0.1}},
        "fields": {"signal": {"start": -0.3, "stop": 0.2}}, "targets": ["place"], "batch_size": 64,
        "split": {"class_path": "data_loaders.splits.TimeBlock", "init_args": {"n_folds": 2, "val": 0.3}},
        "sampler": {
            "class_path": "data_loaders.samplers.multi_session.MultiSession", "init_args": {"labels": ["place"], "time_offset": 0.1}
        },
    }  # fmt: skip
    evaluators = [
        {"class_path": "brainfm.evaluators.decoding.Decoding", "init_args": {"n_permutations": 20, "n_bootstraps": 20}},
        {"class_path": "brainfm.evaluators.goodness_of_fit.GoodnessOfFit"},
        {"class_path": "brainfm.evaluators.consistency.Consistency", "init_args": {"label": "place"}},
    ]
    parts = {
        "data": {"class_path": "data_loaders.datamodule.Data", "init_args": data},
        "encoder": {"class_path": "brainfm.encoders.per_session.PerSession", "init_args": {"options": {"dim": 3}}},
        "objective": {"class_path": "brainfm.objectives.infonce.InfoNCE"}, "evaluators": evaluators,
        "optimizer": {"class_path": "torch.optim.Adam", "init_args": {"lr": 5.0e-3}}, "trainer": {"max_steps": 60},
    }  # fmt: skip
    return Recipe.of(parts | changes)


@pytest.mark.filterwarnings("ignore:.*does not have many workers")
def test_an_embedding_of_two_sessions_is_judged_beside_its_control_and_judged_again_alike(
    store: Path, tmp_path: Path
) -> None:
    run = fit(recipe(store), tmp_path / "run")
    scores = pd.read_csv(run / "scores.csv")
    r2 = scores[(scores["target"] == "place") & (scores["metric"] == "r2")].groupby("model")["value"].mean()
    assert r2["PerSession"] > 0.7
    assert r2["PerSession, linear"] > 0.5
    assert r2["shuffle control"] < 0.1
    bits = scores[scores["metric"] == "bits"].groupby("model")["value"].mean()
    assert bits["PerSession"] > 0.3
    assert bits["shuffle control"] < 0.05
    assert set(scores["target"]) == {"place", "held-out draws", "consistency over place"}
    points = pd.read_parquet(run / "fold-0" / "embedding.parquet")
    assert {"e0", "e1", "e2", "place.0", "place.1", "session", "window_id"} <= set(points)
    page = (run / "report.html").read_text()
    assert "<h2>Embedding</h2>" in page
    assert "Consistency between sessions" in page
    again = evaluate(run)
    pd.testing.assert_series_equal(again["value"], scores["value"], check_exact=False, rtol=1e-6)
