"""`brainfm features` from what was played or shown to a recipe that encodes with it: words, sound and images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image
from scipy.io import wavfile

from brainfm.cli import main
from brainfm.stimuli.base import Features
from data_loaders.contracts import Recording
from data_loaders.store import Store
from data_loaders.writer import Writer

N, TR, PICTURES = 60, 2.0, ("cat.png", "dog.png", "animals/fox.png")


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Two people, two minutes each, who are shown an image every eight seconds."""
    rng = np.random.default_rng(0)
    shown = [("cat", "cat.png", "fox.png", "animals/fox.png", "n/a", "dog")[i % 6] for i in range(14)]
    events = pd.DataFrame({"onset": np.arange(14) * 8.0, "duration": 4.0, "trial_type": "image", "stim_file": shown})
    with Writer(tmp_path / "store") as writer:
        for subject in ("01", "02"):
            writer.write(
                Recording(
                    study="T", subject=subject, modality="fmri", task="story", sfreq=1 / TR, duration=N * TR, ch_names=("a", "b"),
                    ch_types=("roi",) * 2, units=("",) * 2, signal=rng.standard_normal((N, 2)).astype(np.float32), events=events,
                )
            )  # fmt: skip
    return tmp_path / "store"


@pytest.fixture
def shown(tmp_path: Path) -> Path:
    """A folder with three images."""
    rng = np.random.default_rng(0)
    for name in PICTURES:
        path = tmp_path / "shown" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (30, 40, 3), dtype=np.uint8)).save(path)
    return tmp_path / "shown"


def fitted(store: Path, source: str, home: Path) -> pd.DataFrame:
    """The scores of a recipe that encodes with a feature."""
    split = {"class_path": "data_loaders.splits.TimeBlock", "init_args": {"n_folds": 2, "gap": 8.0, "val": 0.0}}
    fields = {"signal": {"start": 0.0, "stop": TR}, "x": {"source": source, "start": -4.0, "stop": 0.0}}
    windows = {"class_path": "data_loaders.windows.Tile", "init_args": {"stride": TR}}
    data = {"store": str(store), "windows": windows, "fields": fields, "split": split}
    asked = {"n_permutations": 9, "n_bootstraps": 9, "block": 8.0}
    recipe = {
        "data": {"class_path": "data_loaders.datamodule.Data", "init_args": data},
        "encoder": {"class_path": "brainfm.encoders.delays.Delays"},
        "objective": {"class_path": "brainfm.objectives.ridge.Ridge"},
        "evaluators": [{"class_path": "brainfm.evaluators.encoding.Encoding", "init_args": asked}],
    }
    (home / "encode.yaml").write_text(yaml.safe_dump(recipe))
    assert main(["fit", "--config", str(home / "encode.yaml"), "--out", str(home / "run")]) == 0
    return pd.read_csv(home / "run" / "scores.csv")


def stream(store: Path, name: str) -> np.ndarray:
    opened = Store(store)
    return opened.stream(0, name, 0, opened.entry(0).streams[name].shape[0])


def test_words_become_features_of_an_encoding_model(causal: Path, store: Path, tmp_path: Path) -> None:
    words = ["Alice", "was", "beginning", "to", "get", "very", "tired", "of", "sitting", "by", "her", "sister"] * 20
    rows = "".join(f"{word}\t{i * 0.48:.2f}\t0.4\n" for i, word in enumerate(words))
    (tmp_path / "story.tsv").write_text("word\tonset\tduration\n" + rows)
    (tmp_path / "played.tsv").write_text("recording\tstimulus\tonset\nsub-*\tstory.tsv\t2.0\n")
    command = [
        "features",
        str(causal),
        "--stimuli",
        str(tmp_path / "played.tsv"),
        "--store",
        str(store),
        "--name",
        "lm",
    ]
    assert main([*command, "--context", "16", "--layers", "1", "2"]) == 0
    assert stream(store, "lm.layer2").shape == (N, 16)
    assert len(fitted(store, "lm.layer2", tmp_path)) == 2 * 2 * 3  # people, folds, metrics


def test_sound_becomes_features_of_an_encoding_model(hubert: str, store: Path, tmp_path: Path) -> None:
    noise = (np.random.default_rng(0).standard_normal(16_000 * 100) * 3000).astype(np.int16)
    wavfile.write(tmp_path / "story.wav", 16_000, noise)
    command = ["features", hubert, "--sound", str(tmp_path / "story.wav"), "--layers", "2", "--context", "0.4"]
    assert main([*command, "--store", str(store), "--name", "hubert"]) == 0
    values = stream(store, "hubert.layer2")
    assert np.abs(values[:50]).min() > 0
    assert np.abs(values[54:]).max() == 0  # 100 s were played, and the kernel reaches over three frames
    assert len(fitted(store, "hubert.layer2", tmp_path)) == 12
    assert main([*command[:2], "--sound", str(tmp_path / "story.mp3"), "--store", str(store)]) == 2


@pytest.mark.parametrize("kind", ["timm", "clip"])
def test_images_become_features_that_last_as_long_as_they_were_shown(
    kind: str, clip: str, store: Path, shown: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = ["timm:test_resnet.r160_in1k", "--untrained"] if kind == "timm" else [clip]
    command = ["features", *model, "--images", str(shown), "--name", "seen"]
    assert main([*command, "--out", str(tmp_path / "seen.npz")]) == 0
    alone = Features.load(tmp_path / "seen.npz")
    assert alone.names == ("animals/fox.png", "cat.png", "dog.png")
    (shown / "dog.png").unlink()
    assert main([*command, "--store", str(store)]) == 0
    said = capsys.readouterr().out
    assert f"4 events name images that {shown} lacks (['dog']): zero is put there" in said
    (layer,) = alone.layers
    values = stream(store, f"seen.{layer}")
    fox, cat = alone.layers[layer][:2]
    # cat at 0 and 8 s, fox at 16 and 24 s, nothing at 32 s, a dog whose image is gone at 40 s: two volumes each, two blank
    expected = [cat, cat, 0 * cat, 0 * cat] * 2 + [fox, fox, 0 * fox, 0 * fox] * 2 + [0 * cat] * 8
    np.testing.assert_allclose(values[:24], expected, atol=1e-4)
    assert len(fitted(store, f"seen.{layer}", tmp_path)) == 12


def test_what_is_missing_is_named_with_the_repair(
    clip: str, store: Path, shown: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    place = ["--store", str(store)]
    for command, told in {
        ("--images", str(tmp_path / "empty")): "holds no image",
        ("--images", str(shown), "--column", "picture"): "no recording has events with a column 'picture'",
        ("--images", str(shown), "--column", "trial_type"): "they name ['image']; name the column with --column",
        (
            "--images",
            str(shown),
            "--sound",
            "a.wav",
        ): "--sound and --images both say what was played or shown: leave one out",
        ("--out", str(tmp_path / "a.npz")): "one of --store STORE and --out FILE is needed",
    }.items():
        assert main(["features", clip, *command, *place]) == 2
        assert told in capsys.readouterr().err


def test_what_was_made_is_kept_and_made_again_for_other_images(
    clip: str, store: Path, shown: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from brainfm.stimuli.images import Images

    made, extract = [], Images.extract
    monkeypatch.setattr(Images, "extract", lambda self, *given: made.append(1) or extract(self, *given))
    command = ["features", clip, "--images", str(shown), "--store", str(store)]
    for n_made, change in ((1, None), (1, None), (2, "cat.png")):
        if change:
            Image.new("RGB", (8, 8)).save(shown / change)
        assert main(command) == 0
        assert len(made) == n_made
