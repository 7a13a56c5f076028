"""A planted effect is found and a planted null stays at chance, through the command; the intervals cover the truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from brainfm.cli import main
from data_loaders.store import Store

# which deflection a person shows, in two of four channels of noise; the sign says the class
EFFECT, NULL = 1.0, 0.0
SFREQ, CHANCE = 16.0, 0.5
MODELS = ("GRU", "time samples + LDA")
RECIPE = """
data:
  class_path: data_loaders.datamodule.Data
  init_args:
    store: people
    windows: {class_path: data_loaders.windows.Around}
    fields: {signal: {start: 0.0, stop: 1.0}}
    targets: [trial_type]
    transforms: [{class_path: data_loaders.transforms.RobustScale}]
    split: {class_path: data_loaders.splits.By, init_args: {key: subject, n_folds: 3}}
encoder: {class_path: brainfm.encoders.gru.GRU, init_args: {hidden: 8, dropout: 0.0}}
objective: {class_path: brainfm.objectives.classification.Classification}
evaluators:
  - class_path: brainfm.evaluators.decoding.Decoding
    init_args:
      metrics: [accuracy]
      baselines: [{class_path: brainfm.baselines.time_samples.TimeSamples}]
optimizer: {class_path: torch.optim.AdamW, init_args: {lr: 0.01}}
trainer: {max_steps: 60, val_every: 15, accelerator: cpu}
"""
# the same recipe in a few seconds
SHORT = {"trainer.max_steps": 20, "trainer.val_every": 20, "data.split.n_folds": 2, "data.batch_size": 120}
SHORT |= {"evaluators.0.n_permutations": 200, "evaluators.0.n_bootstraps": 1000}


def store_of(path: str, n_subjects: int, n_trials: int, effect: float, seed: int, apart: bool = True) -> None:
    """People drawn from one population: half of each one's trials are `work`, and how strongly these differ is their own.

    Where not `apart`, all are written as one recording: for a population, of which only means are wanted.
    """
    rng = np.random.default_rng(seed)
    work = np.concatenate([rng.permutation(np.arange(n_trials) % 2) for _ in range(n_subjects)])
    subject = np.repeat(np.arange(n_subjects), n_trials)
    strength = effect * rng.gamma(4.0, 0.25, n_subjects)[subject] * (work - 0.5)  # mean 1, SD 0.5
    X = rng.standard_normal((len(work), 4, int(SFREQ)))
    X[:, :2] += strength[:, None, None] * np.array([[1.0], [-1.0]]) * np.sin(np.linspace(0, np.pi, int(SFREQ)))
    names = np.char.add("p", subject.astype(str)) if apart else None
    Store.from_arrays(path, (1e-5 * X).astype(np.float32), np.where(work, "work", "rest"), sfreq=SFREQ, subjects=names)


def fitted(seed: int, **changes: str | int) -> pd.DataFrame:
    """What `brainfm fit` finds in the store, by model."""
    Path("planted.yaml").write_text(RECIPE)
    flags = [f"--{key}={value}" for key, value in changes.items()]
    assert main(["fit", "--config", "planted.yaml", "--out", f"runs/{seed}", "--seed", str(seed), *flags]) == 0
    summary = pd.read_csv(f"runs/{seed}/summary.csv").set_index("model")
    assert list(summary["metric"]) == ["accuracy"] * len(MODELS)
    return summary.loc[list(MODELS)]


def true_accuracy(seed: int) -> float:
    """The accuracy of the trained models on the population: fold by fold, weighed by the subjects that each tested."""
    assert main(["predict", f"runs/{seed}", "--store", "population"]) == 0
    found = pd.read_parquet(f"runs/{seed}/predictions-population.parquet")
    hit = (found["p_work"] > 0.5) == (found["truth"] == "work")
    tested = pd.read_csv(f"runs/{seed}/scores.csv").query("model == 'GRU'").groupby("fold")["subject"].nunique()
    return float(np.average(hit.groupby(found["fold"]).mean(), weights=tested))


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_planted_effect_is_found_by_the_model_and_by_the_linear_baseline() -> None:
    store_of("people", 12, 24, EFFECT, seed=0)
    found = fitted(0)
    assert (found["low"] > CHANCE).all()
    assert (found["value"] > found["chance_high"]).all()
    assert (found["p"] < 0.05).all()


def test_a_planted_null_stays_at_chance() -> None:
    # seed 0 is what recipes start from and was not picked: one seed in ten fails by design, as each of two intervals
    # misses one time in twenty; how often is counted below
    store_of("people", 12, 24, NULL, seed=0)
    found = fitted(0)
    assert ((found["low"] <= CHANCE) & (found["high"] >= CHANCE)).all()
    assert (found["value"] <= found["chance_high"]).all()
    assert (found["p"] > 0.05).all()


@pytest.mark.slow
@pytest.mark.parametrize("effect", [EFFECT, NULL])
def test_intervals_cover_the_truth_in_90_to_99_percent_of_200_runs(effect, monkeypatch, capsys) -> None:
    monkeypatch.setattr("brainfm.run.judge.write", lambda run: run)  # a page less to draw
    store_of("population", 5_000, 2, effect, seed=2**32, apart=False)
    covered, alarms, truths = [], [], []
    for seed in range(200):
        store_of(f"people-{seed}", 12, 24, effect, seed)
        found = fitted(seed, **SHORT, **{"data.store": f"people-{seed}"})
        # labels without a signal: any decision is right half the time
        truth = [true_accuracy(seed)] if effect else [CHANCE] * len(MODELS)
        known = found.iloc[: len(truth)]
        covered.append(((known["low"] <= truth) & (known["high"] >= truth)).tolist())
        alarms.append((known["p"] <= 0.05).tolist())
        truths.append(truth[0])
    # a little below 95: whom one fold tests, another trains on, so the scores of folds move together
    shares = dict(zip(MODELS, np.mean(covered, axis=0).tolist(), strict=False))
    found = dict(zip(MODELS, np.mean(alarms, axis=0).tolist(), strict=False))
    with capsys.disabled():
        print(f"\neffect {effect:g}, true accuracy {np.mean(truths):.3f}: covered {shares}, p at most 0.05 {found}")
    assert all(0.90 <= share <= 0.99 for share in shares.values())
    assert all(share == 1.0 if effect else share <= 0.09 for share in found.values())
