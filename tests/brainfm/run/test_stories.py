"""Stories from end to end: words that are events become features, ridge predicts voxels, repeats give ceilings, leaks are told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from brainfm.cli import main
from brainfm.grammar.known import recipes
from brainfm.recipe import Recipe
from brainfm.run.fit import fit
from data_loaders.contracts import Recording
from data_loaders.store import Store
from data_loaders.writer import Writer

TR, N, ONSET = 2.0045, 90, -10.045
STORIES = {"life": 1, "souls": 1, "naked": 1, "buck": 1, "wheretheressmoke": 3}
TRIM = 3


def words_of(story: str) -> pd.DataFrame:
    """Words of one or twelve letters, in turns of some seconds that are drawn for each story."""
    rng = np.random.default_rng(sum(map(ord, story)))
    onset = np.arange(0.0, N * TR - ONSET, 0.35)
    long = np.repeat(rng.random(len(onset) // 12 + 1) < 0.5, 12)[: len(onset)]
    return pd.DataFrame({"word": np.where(long, "aaaaaaaaaaaa", "a"), "onset": onset + ONSET, "duration": 0.3})


def heard(story: str, run: str, rng: np.random.Generator) -> Recording:
    """Two voxels that follow the length of words, two volumes late and with as much noise, and one of noise alone."""
    words = words_of(story)
    volume = np.floor(words["onset"] / TR).astype(int)
    length = words["word"].str.len().groupby(volume).mean().reindex(range(-2, N - 2)).to_numpy()
    signal = rng.standard_normal((N, 3)).astype(np.float32)
    signal[:, :2] += ((length - length.mean()) / length.std())[:, None]
    begun = {"word": "", "onset": ONSET, "duration": N * TR - ONSET, "trial_type": "story", "stim_file": f"{story}.wav"}
    events = pd.DataFrame([begun, *words.assign(trial_type="word", stim_file="").to_dict("records")])
    return Recording(
        study="lebel2023", subject="UTS03", modality="fmri", task=story, run=run, sfreq=1 / TR, duration=N * TR,
        ch_names=("a", "b", "noise"), ch_types=("bold",) * 3, units=("n/a",) * 3, signal=signal, events=events,
    )  # fmt: skip


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path, rng = tmp_path_factory.mktemp("stories") / "store", np.random.default_rng(0)
    with Writer(path) as writer:
        for story, n_repeats in STORIES.items():
            for k in range(n_repeats):
                writer.write(heard(story, str(k + 1) if n_repeats > 1 else "", rng))
    assert main(["features", "controls", "--store", str(path)]) == 0
    return path


def recipe(store: Path, split: dict[str, Any] | None = None) -> dict[str, Any]:
    """The recipe that ships, on two of the controls, tested on one story."""
    raw = yaml.safe_load(recipes()["encode/lebel_gpt"].read_text())
    data = raw["data"]["init_args"]
    data["store"] = str(store)
    data["windows"]["init_args"]["trim"] = [TRIM * TR, 0.0]
    data["fields"]["text"]["source"] = "controls.length"
    data["split"] = split or {
        "class_path": "data_loaders.splits.Named",
        "init_args": {"key": "stimulus", "test": ["wheretheressmoke.wav"], "val": 0.0},
    }
    raw["evaluators"][0]["init_args"] |= {"n_permutations": 99, "n_bootstraps": 99}
    return raw | {"name": "t"}


def test_the_recipe_that_ships_finds_the_voxels_that_follow_words_below_the_ceiling_of_one_repeat(
    store: Path, tmp_path: Path
) -> None:
    run = fit(Recipe.of(recipe(store)), tmp_path / "t", ["test"])
    ours = pd.read_csv(run / "channels.csv").query("model == 'Delays'").set_index("channel")
    assert (ours.loc[["a", "b"], "pearson_r"] > 0.5).all()
    assert ours.loc[["a", "b"], "ceiling"].to_numpy() == pytest.approx(np.sqrt(0.5), abs=0.08)
    assert (ours.loc[["a", "b"], "pearson_r"] < ours.loc[["a", "b"], "ceiling"] + 0.05).all()
    assert (ours.loc[["a", "b"], "q"] < 0.05).all()
    assert abs(ours.loc["noise", "pearson_r"]) < 0.2
    # all repeats of the story are tested on, without what its windows would need from before it
    assert set(ours["n_samples"]) == {3 * (N - TRIM - 4)}


def test_a_story_heard_in_training_and_test_is_told(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    by_run = {"class_path": "data_loaders.splits.By", "init_args": {"key": "recording_name", "n_folds": 7, "val": 0.0}}
    built = Recipe.of(recipe(store, by_run))
    built.data.setup()
    shared = {}
    for number, fold in enumerate(built.data.folds):
        built.data.use(number)
        shared[fold.test.metadata["stimulus"].iloc[0]] = [flag.message for flag in built.data.flags]
    assert {story for story, flags in shared.items() if flags} == {"wheretheressmoke.wav"}
    assert "leakage: train and test share the stimulus wheretheressmoke.wav" in capsys.readouterr().out


def test_blocks_of_one_story_are_no_stimulus_in_common(store: Path) -> None:
    blocks = {"class_path": "data_loaders.splits.TimeBlock", "init_args": {"n_folds": 3, "gap": 20.0, "val": 0.0}}
    raw = recipe(store, blocks)
    raw["data"]["init_args"]["subjects"] = ["UTS03"]
    built = Recipe.of(raw)
    built.data.setup()
    built.data.use(1)
    assert built.data.flags == []


def test_a_store_without_words_is_asked_for_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Store.from_arrays(tmp_path / "s", np.random.default_rng(0).standard_normal((8, 2, 50)), ["a", "b"] * 4, sfreq=50.0)
    assert main(["features", "controls", "--store", str(tmp_path / "s")]) != 0
    assert "no events of trial_type word with a column word" in "".join(capsys.readouterr())
