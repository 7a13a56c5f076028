"""What an encoding run leaves: scores and predictions per voxel, vertex, region or sensor, as NIfTI, GIFTI and csv."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import yaml

from brainfm.cli import main
from data_loaders.attach import attach
from data_loaders.contracts import Recording, Stream
from data_loaders.formats import space
from data_loaders.writer import Writer

N = 120
VOXELS = np.full((4, 3, 2), -1)
VOXELS[1, 1, :] = VOXELS[2, 1, :] = 0
VOXELS[2, 1, :] = [1, 2]
VOXELS[1, 1, 1] = -1


def places(kind: str) -> dict[str, Any]:
    """Three channels as voxels, vertices, regions and sensors."""
    if kind == "volume":
        return {"space": space.volume(VOXELS, np.diag([2.0, 2, 2, 1]))}
    if kind == "surface":
        return {"space": space.surface(np.array([0, -1, 1, 2, -1]), {"left": 3, "right": 2})}
    return {"ch_types": ("eeg",) * 3} if kind == "sensors" else {}


def fitted(kind: str, home: Path) -> Path:
    rng = np.random.default_rng(0)
    words = rng.standard_normal((N, 2))
    signal = np.roll(words, 1, 0) @ rng.standard_normal((2, 3)) + 0.5 * rng.standard_normal((N, 3))
    about = {"ch_types": ("voxel",) * 3} | places(kind)
    with Writer(home / "store") as writer:
        writer.write(
            Recording(
                study="T", subject="01", modality="fmri", task="story", sfreq=0.5, duration=2.0 * N, ch_names=("a", "b", "c"),
                units=("",) * 3, signal=signal.astype(np.float32), **about,
            )
        )  # fmt: skip
    attach(home / "store", "lm.layer1", {"sub-01_task-story": Stream(words, 0.5)}, {})
    split = {"class_path": "data_loaders.splits.TimeBlock", "init_args": {"n_folds": 2, "gap": 10.0, "val": 0.0}}
    fields = {"signal": {"start": 0.0, "stop": 2.0}, "text": {"source": "lm.layer1", "start": -4.0, "stop": 0.0}}
    windows = {"class_path": "data_loaders.windows.Tile", "init_args": {"stride": 2.0}}
    data = {"store": str(home / "store"), "windows": windows, "fields": fields, "split": split}
    asked = {"spaces": {"words": ["text"]}, "n_permutations": 19, "n_bootstraps": 19}
    recipe = {
        "data": {"class_path": "data_loaders.datamodule.Data", "init_args": data},
        "encoder": {"class_path": "brainfm.encoders.delays.Delays"},
        "objective": {"class_path": "brainfm.objectives.ridge.Ridge"},
        "evaluators": [{"class_path": "brainfm.evaluators.encoding.Encoding", "init_args": asked}],
    }
    (home / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    assert main(["fit", "--config", str(home / "recipe.yaml"), "--out", str(home / "run")]) == 0
    assert main(["predict", str(home / "run")]) == 0
    return home / "run"


@pytest.mark.parametrize("kind", ["volume", "surface", "regions", "sensors"])
def test_scores_and_predictions_come_back_as_tables_and_images(kind: str, tmp_path: Path) -> None:
    run = fitted(kind, tmp_path)
    scores = pd.read_csv(run / "channels.csv").query("model == 'Delays'").set_index("channel")
    said = pd.read_csv(run / "predictions.csv")
    assert {"pearson_r", "q", "unique_words"} <= set(scores)
    for channel in "abc":
        values, truth = (
            said[f"{name}_{channel}"] - said.groupby("fold")[f"{name}_{channel}"].transform("mean")
            for name in ("value", "truth")
        )
        assert np.corrcoef(values, truth)[0, 1] == pytest.approx(scores.loc[channel, "pearson_r"], abs=1e-5)
    if kind in ("regions", "sensors"):
        assert not (run / "maps").exists()
        return
    found = [
        image(run, name, kind)
        for name in ("sub-01_Delays_pearson_r", "sub-01_task-story_predicted", "sub-01_task-story_measured")
    ]
    assert np.allclose(found[0][0], scores["pearson_r"], atol=1e-6)
    said = said.sort_values("onset_s", kind="stable")
    assert np.allclose(found[1], said[[f"value_{c}" for c in "abc"]], atol=1e-5)
    assert np.allclose(found[2], said[[f"truth_{c}" for c in "abc"]], atol=1e-5)


def image(run: Path, name: str, kind: str) -> np.ndarray:
    """The values of the three channels in every volume of an image, read by nibabel."""
    if kind == "volume":
        data: Any = nib.load(run / "maps" / f"{name}.nii.gz")
        data = np.asarray(data.dataobj)
        return np.stack(
            [data[k == VOXELS].reshape(-1, data.shape[3] if data.ndim == 4 else 1)[0] for k in range(3)], axis=1
        )
    sides: list[Any] = [nib.load(run / "maps" / f"{name}_hemi-{side}.func.gii") for side in "LR"]
    whole = np.concatenate([np.stack([array.data for array in side.darrays]) for side in sides], axis=1)
    return whole[:, [0, 2, 3]]
