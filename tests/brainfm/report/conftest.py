"""Run folders as `brainfm fit` and `scale` leave them, small and seeded: a planted EEG effect, hand velocity, responses to words."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from brainfm.report.page import write
from brainfm.run.executors import Here
from brainfm.run.scale import scale
from brainfm.statistics.predictions import Predicted, to_table
from brainfm.statistics.summary import Draws, summarise
from data_loaders.attach import attach
from data_loaders.contracts import SCORE_COLUMNS, Recording, Stream
from data_loaders.formats import space
from data_loaders.store import Store
from data_loaders.writer import Writer

N_SUBJECTS, N_TRIALS, N_CHANS, SFREQ = 8, 24, 19, 64.0
_N, _PEOPLE = 160, ("01", "02", "03")  # volumes and people of the grid of encodings
PLANTED = 4  # the channel whose power follows the class


@pytest.fixture(scope="session")
def classification_run(tmp_path_factory) -> Path:
    """Eight subjects in two folds; EEGNeX is a little better than a linear model, whose log-odds carry the same effect."""
    return _classification(tmp_path_factory.mktemp("cls"))


@pytest.fixture(scope="session")
def regression_run(tmp_path_factory) -> Path:
    """One subject, two folds of a time series with two dimensions."""
    return _regression(tmp_path_factory.mktemp("reg"))


@pytest.fixture(scope="session")
def classification_page(classification_run) -> str:
    """Its report."""
    return write(classification_run).read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def regression_page(regression_run) -> str:
    """Its report."""
    return write(regression_run).read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def encoding_grid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two layers of a language model, of which the second drives every voxel, at three training sizes, for three people."""
    home, rng = tmp_path_factory.mktemp("grid"), np.random.default_rng(0)
    words = {"lm.layer1": rng.standard_normal((_N, 3)), "lm.layer2": rng.standard_normal((_N, 3))}
    heard = np.roll(words["lm.layer2"], 1, 0) @ rng.standard_normal((3, 4))
    channel = np.full((4, 4, 3), -1)
    channel[1:3, 1:3, 1] = np.arange(4).reshape(2, 2)
    with Writer(home / "store") as writer:
        for subject in _PEOPLE:
            signal = (rng.standard_normal((_N, 4)) + heard).astype(np.float32)
            writer.write(
                Recording(
                    study="T", subject=subject, modality="fmri", task="story", sfreq=0.5, duration=2.0 * _N, ch_names=tuple("abcd"),
                    ch_types=("voxel",) * 4, units=("",) * 4, signal=signal, space=space.volume(channel, np.diag([3.0, 3, 3, 1])),
                )
            )  # fmt: skip
    for name, values in words.items():
        attach(home / "store", name, {f"sub-{s}_task-story": Stream(values, 0.5) for s in _PEOPLE}, {})
    return scale(_encoding_recipe(home / "store"), home / "out", Here())


def _classification(home: Path) -> Path:
    rng = np.random.default_rng(0)
    n = N_SUBJECTS * N_TRIALS
    y = np.tile([0, 1], n // 2)
    signal = rng.standard_normal((n, N_CHANS, int(2 * SFREQ))) * 1e-5
    signal[:, PLANTED] *= np.where(y == 1, 1.6, 1.0)[:, None]
    subjects = np.repeat([f"{s:02d}" for s in range(N_SUBJECTS)], N_TRIALS)
    names, places = _cap()
    store = Store.from_arrays(
        home / "stores" / "planted", signal, np.array(["rest", "task"])[y], sfreq=SFREQ, ch_names=names, ch_positions=places,
        subjects=list(subjects),
    )  # fmt: skip
    trial = np.tile(np.arange(N_TRIALS), N_SUBJECTS)
    recording = np.repeat(np.arange(N_SUBJECTS), N_TRIALS)
    anchor = np.round(trial * 2 * SFREQ).astype(np.int64)
    windows = pd.DataFrame(
        {
            "window_id": (recording << 40) + anchor, "fold": recording // 4, "seed": 0, "subject": subjects, "session": "", "run": "",
            "recording_name": [store.entry(int(r)).name for r in recording], "segment": trial, "onset_s": trial * 2.0,
        }
    )  # fmt: skip
    effect = np.log(signal[:, PLANTED].var(-1) / 1e-10) * 2 - 1
    models = {
        "EEGNeX": effect + 0.3 * rng.standard_normal(n),
        "log-variance + LDA": effect + 1.5 * rng.standard_normal(n),
    }
    probabilities = {model: np.stack([1 - (p := 1 / (1 + np.exp(-z))), p], 1) for model, z in models.items()}
    predicted = Predicted("trial_type", windows, y, probabilities, ("rest", "task"))
    run = home / "runs" / "planted"
    _write(
        run,
        predicted,
        "Rest against task, planted in one channel.",
        "data_loaders.windows.Around",
        store.path,
        "EEGNeX",
    )
    for fold in (0, 1):
        steps = np.arange(0, 200, 20)
        loss = np.exp(-steps / 80) * 0.4 + 0.3
        pd.DataFrame({"step": steps, "train/loss": loss, "val/loss": loss + 0.05 + 1e-5 * (steps - 120.0) ** 2}).to_csv(
            run / f"fold-{fold}" / "history.csv", index=False
        )
    return run


def _regression(home: Path) -> Path:
    rng = np.random.default_rng(1)
    n = 600
    time = np.arange(n) * 0.1
    truth = np.stack([np.sin(time), np.cos(time / 2)], 1)
    fold = (np.arange(n) >= n // 2).astype(int)
    windows = pd.DataFrame(
        {
            "window_id": np.arange(n) * 10, "fold": fold, "seed": 0, "subject": "C", "session": "1", "run": "",
            "recording_name": "sub-C_ses-1", "segment": 0, "onset_s": time,
        }
    )  # fmt: skip
    models = {
        "GRU": truth + 0.3 * rng.standard_normal(truth.shape),
        "ridge": 0.7 * truth + 0.5 * rng.standard_normal(truth.shape),
    }
    run = home / "runs" / "velocity"
    _write(
        run,
        Predicted("velocity", windows, truth, models, ("vx", "vy")),
        "",
        "data_loaders.windows.Tile",
        home / "gone",
        "GRU",
    )
    return run


def _write(run: Path, predicted: Predicted, header: str, rule: str, store: Path, model: str) -> None:
    table = to_table(predicted)
    summary = summarise(table, draws=Draws(n_permutations=100, n_bootstraps=200, against=model))
    run.mkdir(parents=True)
    data = {
        "store": str(store), "windows": {"class_path": rule}, "fields": {"signal": {"start": 0.0, "stop": 2.0}},
        "split": {"class_path": "data_loaders.splits.By", "init_args": {"key": "subject"}}, "targets": [predicted.target],
    }  # fmt: skip
    recipe = {
        "data": {"class_path": "data_loaders.datamodule.Data", "init_args": data},
        "encoder": {"class_path": f"brainfm.{model}"},
    }
    (run / "recipe.yaml").write_text(
        (f"# {header}\n" if header else "") + yaml.safe_dump(recipe, sort_keys=False), encoding="utf-8"
    )
    facts = {"commit": "0" * 40, "seed": 0, "packages": {"torch": "2.14"}, "finished": "2026-11-23T10:00:00+00:00"}
    (run / "provenance.json").write_text(json.dumps(facts), encoding="utf-8")
    for fold in (0, 1):
        folder = run / f"fold-{fold}"
        folder.mkdir()
        part = table[table["fold"] == fold]
        part.set_index("window_id").to_parquet(folder / "predictions.parquet")
        _scores(part, summary["metric"].unique()).to_parquet(folder / "scores.parquet", index=False)
        (folder / "manifest.json").write_text(json.dumps({"best": {"step": 120 + 20 * fold, "monitor": "val/loss"}}))
    summary.to_csv(run / "summary.csv", index=False)


def _scores(table: pd.DataFrame, metrics) -> pd.DataFrame:
    rows = []
    for (model, subject), part in table.groupby(["model", "subject"], sort=False):
        score = summarise(part.assign(model="x"), draws=Draws(n_permutations=1, n_bootstraps=1)).set_index("metric")[
            "value"
        ]
        for metric in metrics:
            row = (
                model,
                part["target"].iloc[0],
                metric,
                subject,
                part["fold"].iloc[0],
                0,
                score[metric],
                0.5,
                0.6,
                np.nan,
                len(part),
            )
            rows.append(dict(zip(SCORE_COLUMNS, row, strict=True)))
    return pd.DataFrame(rows)


def _cap() -> tuple[list[str], np.ndarray]:
    import mne

    montage = mne.channels.make_standard_montage("biosemi32").get_positions()["ch_pos"]
    names = list(montage)[:N_CHANS]
    return names, np.array([montage[name] for name in names])


def _encoding_recipe(store: Path) -> dict:
    split = {"class_path": "data_loaders.splits.TimeBlock", "init_args": {"n_folds": 2, "gap": 10.0, "val": 0.0}}
    fields = {"signal": {"start": 0.0, "stop": 2.0}, "text": {"source": "lm.layer1", "start": -4.0, "stop": 0.0}}
    windows = {"class_path": "data_loaders.windows.Tile", "init_args": {"stride": 2.0}}
    data = {"store": str(store), "windows": windows, "fields": fields, "split": split, "batch_size": 64}
    asked = {"ceiling": "subjects", "n_permutations": 20, "n_bootstraps": 20}
    return {
        "data": {"class_path": "data_loaders.datamodule.Data", "init_args": data},
        "encoder": {"class_path": "brainfm.encoders.delays.Delays"},
        "objective": {"class_path": "brainfm.objectives.ridge.Ridge", "init_args": {"per": "subject"}},
        "evaluators": [{"class_path": "brainfm.evaluators.encoding.Encoding", "init_args": asked}],
        "grid": {"data.fields.text.source": ["lm.layer1", "lm.layer2"], "data.train_share": [0.3, 0.6, 1.0]},
    }
