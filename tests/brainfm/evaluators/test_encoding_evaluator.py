"""Encoding through the command's own machinery: planted responses are found, beside controls, ceilings and chance."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from brainfm.recipe import Recipe
from brainfm.run.fit import fit
from brainfm.statistics.encoding import correlation
from data_loaders.attach import attach
from data_loaders.contracts import Recording, Stream
from data_loaders.writer import Writer

N, SFREQ = 200, 0.5


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four people with a voxel that follows words two frames before, one that follows a control, and one that is noise."""
    path, rng = tmp_path_factory.mktemp("encoding") / "store", np.random.default_rng(0)
    words, control = rng.standard_normal((N, 3)), rng.standard_normal((N, 1))
    with Writer(path) as writer:
        for subject in ("01", "02", "03", "04"):
            signal = 0.7 * rng.standard_normal((N, 3))
            signal[2:, 0] += words[:-2, 0]
            signal[1:, 1] += control[:-1, 0]
            writer.write(
                Recording(
                    study="T", subject=subject, modality="fmri", task="story", sfreq=SFREQ, duration=N / SFREQ, ch_names=("w", "c", "n"),
                    ch_types=("roi",) * 3, units=("",) * 3, signal=signal, streams={"control": Stream(control, SFREQ)},
                )
            )  # fmt: skip
    attach(path, "lm.layer1", {f"sub-{s}_task-story": Stream(words, SFREQ) for s in ("01", "02", "03", "04")}, {})
    return path


def recipe(store: Path, evaluator: dict, objective: str = "ridge.Ridge", **data: object) -> dict:
    split = {"class_path": "data_loaders.splits.TimeBlock", "init_args": {"n_folds": 3, "gap": 10.0, "val": 0.0}}
    fields = {"signal": {"start": 0.0, "stop": 2.0}, "text": {"source": "lm.layer1", "start": -8.0, "stop": 0.0}}
    fields |= {"control": {"source": "control", "start": -4.0, "stop": 2.0}}
    windows = {"class_path": "data_loaders.windows.Tile", "init_args": {"stride": 2.0, "trim": [20.0, 10.0]}}
    made = {"store": str(store), "windows": windows, "fields": fields, "split": split, "batch_size": 64} | data
    return {
        "data": {"class_path": "data_loaders.datamodule.Data", "init_args": made},
        "encoder": {"class_path": "brainfm.encoders.delays.Delays"},
        "objective": {"class_path": f"brainfm.objectives.{objective}", "init_args": {"per": "subject"}},
        "evaluators": [{"class_path": "brainfm.evaluators.encoding.Encoding", "init_args": evaluator}],
        "name": "t",
    }


@pytest.fixture(scope="module")
def run(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    asked = {"controls": ["control"], "ceiling": "subjects", "n_permutations": 99, "n_bootstraps": 99}
    asked |= {"spaces": {"words": ["text"], "acoustics": ["control"]}}
    return fit(Recipe.of(recipe(store, asked)), tmp_path_factory.mktemp("runs") / "t", ["test"])


def test_the_planted_voxels_are_found_and_noise_is_not(run: Path) -> None:
    table = pd.read_csv(run / "channels.csv")
    ours = table[table["model"] == "Delays"].groupby("channel").mean(numeric_only=True)
    assert (ours.loc[["w", "c"], "pearson_r"] > 0.6).all()
    assert abs(ours.loc["n", "pearson_r"]) < 0.15
    assert (ours.loc[["w", "c"], "q"] < 0.05).all()
    assert (table[(table["model"] == "Delays") & (table["channel"] == "n")]["q"] > 0.05).mean() > 0.5


def test_controls_explain_only_what_they_should(run: Path) -> None:
    table = pd.read_csv(run / "channels.csv")
    controls = table[table["model"] == "controls"].groupby("channel")["pearson_r"].mean()
    assert controls["c"] > 0.6
    assert controls["w"] < 0.25


def test_the_ceiling_is_what_the_signal_reaches(run: Path) -> None:
    table = pd.read_csv(run / "channels.csv")
    ceiling = table[table["model"] == "Delays"].groupby("channel")["ceiling"].mean()
    theory = np.sqrt(1 / (1 + 0.7**2))
    assert ceiling["w"] == pytest.approx(theory, abs=0.06)


def test_unique_parts_belong_to_the_space_that_was_planted(run: Path) -> None:
    parts = pd.read_csv(run / "channels.csv").query("model == 'Delays'").groupby("channel").mean(numeric_only=True)
    assert parts.loc["w", "unique_words"] > 0.4
    assert abs(parts.loc["w", "unique_acoustics"]) < 0.1
    assert parts.loc["c", "unique_acoustics"] > 0.4
    assert abs(parts.loc["w", "shared_acoustics_words"]) < 0.1


def test_rows_have_baseline_ceiling_and_chance_beside_the_value(run: Path) -> None:
    rows, summary = pd.read_csv(run / "scores.csv"), pd.read_csv(run / "summary.csv")
    ours = rows[(rows["model"] == "Delays") & (rows["metric"] == "pearson_r")]
    assert len(ours) == 4 * 3
    assert (ours["value"] < ours["ceiling"] + 0.1).all()
    assert ours["baseline"].notna().all()
    headline = summary.set_index(["model", "metric"]).loc[("Delays", "pearson_r")]
    assert headline["low"] < headline["value"] < headline["high"]
    assert abs(headline["chance"]) < 0.03
    assert headline["p"] <= 0.01
    assert (run / "report.html").exists()


def test_flat_voxels_and_a_run_of_nan_are_told_and_leave_other_voxels_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)
    words, signal = rng.standard_normal((N, 3)), rng.standard_normal((N, 3))
    signal[2:, 0] += words[:-2, 0]
    values = {}
    for name, spoilt in (("clean", signal), ("spoilt", np.where(np.arange(3) == 1, 4.0, signal))):
        made = spoilt.copy()
        if name == "spoilt":
            made[30:36] = np.nan
        with Writer(tmp_path / name) as writer:
            writer.write(
                Recording(
                    study="T", subject="01", modality="fmri", sfreq=SFREQ, duration=N / SFREQ, ch_names=("a", "b", "c"),
                    ch_types=("roi",) * 3, units=("",) * 3, signal=made, streams={"text": Stream(words, SFREQ)},
                )
            )  # fmt: skip
        asked = {"n_permutations": 19, "n_bootstraps": 19}
        raw = recipe(tmp_path / name, asked)
        raw["data"]["init_args"]["fields"] = {
            "signal": {"start": 0.0, "stop": 2.0},
            "text": {"source": "text", "start": -8.0, "stop": 0.0},
        }
        run = fit(Recipe.of(raw), tmp_path / "runs" / name, ["test"])
        values[name] = pd.read_csv(run / "channels.csv").query("model == 'Delays'").set_index("channel")["pearson_r"]
    said = capsys.readouterr().out
    assert "rows are NaN in every target and left out" in said
    assert "1 of 3 targets never change and get no weights" in said
    assert "encoding: 6 of 60 test samples are NaN in every channel and left out" in said
    assert values["spoilt"]["a"] == pytest.approx(values["clean"]["a"], abs=0.05)
    assert values["spoilt"]["a"] > 0.5
    assert np.isnan(values["spoilt"]["b"])


def test_many_channels_are_kept_as_lists_and_score_the_same() -> None:
    from brainfm.statistics import channels

    rng = np.random.default_rng(0)
    windows = pd.DataFrame(
        {
            "window_id": np.arange(50),
            "subject": "01",
            "fold": 0,
            "seed": 0,
            "recording_name": "a",
            "run": "",
            "onset_s": np.arange(50) * 2.0,
        }
    )
    truth = rng.standard_normal((50, 100)).astype(np.float32)
    names = [str(i) for i in range(100)]
    table = channels.to_rows(windows, "signal", names, truth, {"m": truth + 1})
    assert "values" in table.columns
    (found,) = channels.series(table, names)
    assert np.array_equal(found.truth.astype(np.float32), truth)
    few = channels.to_rows(windows, "signal", names[:3], truth[:, :3], {"m": truth[:, :3]})
    assert np.array_equal(next(channels.series(few, names[:3])).truth.astype(np.float32), truth[:, :3])


def test_repeats_give_the_ceiling_of_one_response() -> None:
    from brainfm.statistics import channels

    rng = np.random.default_rng(0)
    signal, n_repeats = rng.standard_normal((60, 200)), 8
    truth = np.concatenate([signal + rng.standard_normal(signal.shape) for _ in range(n_repeats)])
    windows = pd.DataFrame({"stimulus": np.tile(np.arange(60), n_repeats), "subject": "01"})
    one = channels.Series("01", windows, truth, {})
    (found,) = channels.ceiling_of([one], "repeats")
    assert np.nanmean(found) == pytest.approx(np.sqrt(0.5), abs=0.03)


def test_the_mean_of_the_other_blocks_is_no_prediction_backwards() -> None:
    from brainfm.statistics import channels

    rng, fold = np.random.default_rng(0), np.repeat(np.arange(5), 40)
    truth = rng.standard_normal((200, 30)) + np.repeat(
        rng.standard_normal((5, 30)), 40, axis=0
    )  # blocks differ in level
    said = np.stack([truth[fold != k].mean(0) for k in fold])
    noise = 0.3 * rng.standard_normal(truth.shape)
    windows = pd.DataFrame({"recording_name": "a", "fold": fold})
    one = channels.Series("01", windows, truth, {"nothing": said + noise, "half": said + 0.5 * truth})
    table = (
        channels.channel_table([one], [str(i) for i in range(30)], None, 5, 50).groupby("model").mean(numeric_only=True)
    )
    assert correlation(truth, said + noise).mean() < -0.3
    assert abs(table.loc["nothing", "pearson_r"]) < 0.05
    assert table.loc["half", "pearson_r"] == pytest.approx(1.0)


def test_unknown_metrics_and_too_many_spaces_are_refused() -> None:
    from brainfm.evaluators.encoding import Encoding

    with pytest.raises(ValueError, match="unknown metric 'rho'"):
        Encoding(["rho"])
    with pytest.raises(ValueError, match="at most 4"):
        Encoding(spaces={str(i): ["a"] for i in range(5)})


def test_a_cell_scores_what_a_run_scores_and_knows_its_content(store: Path, run: Path) -> None:
    from brainfm.run.cell import contents, scored

    asked = {"controls": ["control"], "ceiling": "subjects", "n_permutations": 99, "n_bootstraps": 99}
    cell = Recipe.of(recipe(store, asked))
    _, rows = scored(cell)
    kept = pd.read_csv(run / "scores.csv")
    ours, theirs = (
        t[t["model"] == "Delays"].set_index(["subject", "fold", "metric"])["value"]
        for t in (rows.astype({"subject": int}), kept)
    )
    assert np.allclose(ours.sort_index(), theirs.sort_index(), atol=1e-6)
    before = contents(cell)
    assert set(before["sub-01_task-story"]) == {"content", "lm.layer1", "control"}
    less = Recipe.of(recipe(store, asked, train_share=0.3))
    assert (
        scored(less)[1].query("model == 'Delays' and metric == 'pearson_r'")["value"].mean()
        < ours.xs("pearson_r", level=2).mean()
    )
