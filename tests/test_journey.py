"""A BIDS folder never seen before goes from `inspect` to a report in three commands, with no YAML edited."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import mne
import numpy as np
import pandas as pd
import pytest

from brainfm.cli import main

SFREQ = 100.0


def write_subject(root: Path, subject: str, seed: int) -> None:
    """24 events of two kinds in 100 s, one noisy stretch and one bad channel, as mne-bids writes them."""
    from mne_bids import BIDSPath, write_raw_bids

    rng = np.random.default_rng(seed)
    info = mne.create_info(["Fz", "Cz", "Pz", "Oz", "C3", "C4"], SFREQ, "eeg")
    signal = 1e-5 * rng.standard_normal((6, int(100 * SFREQ)))
    onsets, kinds = 2 + 4 * np.arange(24.0), rng.permutation(["left", "right"] * 12)
    for onset, kind in zip(onsets, kinds, strict=True):
        signal[4 if kind == "left" else 5, int(onset * SFREQ) : int((onset + 0.5) * SFREQ)] += 4e-6
    raw = mne.io.RawArray(signal, info, verbose="error")
    raw.info["bads"], raw.info["line_freq"] = ["Oz"], 50.0
    raw.set_annotations(mne.Annotations([*onsets, 99.0], [0.5] * 24 + [0.8], [*kinds, "BAD_move"]))
    path = BIDSPath(subject=subject, task="cue", datatype="eeg", root=root)
    write_raw_bids(raw, path, format="BrainVision", allow_preload=True, overwrite=True, verbose="error")


def journey(*source: str) -> Path:
    """The three commands; the run folder that they end in."""
    assert main(["inspect", *source, "--out", "mine.yaml"]) == 0
    written = Path("mine.yaml").read_text()
    assert main(["prepare", "--config", "mine.yaml"]) == 0
    assert main(["fit", "--config", "mine.yaml", "--debug"]) == 0
    assert Path("mine.yaml").read_text() == written
    return Path("runs/mine-debug")


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for number in range(5):
        write_subject(tmp_path / "study", f"{number + 1:02d}", number)
    return tmp_path / "study"


def test_a_bids_folder_becomes_a_report_in_three_commands(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = journey(str(study))
    said = capsys.readouterr().out
    assert "Oz (5)" in said
    page = (run / "report.html").read_text()
    assert "95 % interval" in page
    assert "CSP + LDA" in page, "a bad channel must not cost the baselines"

    assert main(["predict", str(run)]) == 0
    found = pd.read_parquet(run / "predictions.parquet")
    assert not found.duplicated(["recording_name", "onset_s"]).any()
    keys = pd.read_csv(run / "predictions.csv")[["recording_name", "onset_s"]]
    pd.testing.assert_frame_equal(keys, found[["recording_name", "onset_s"]], check_dtype=False)
    probabilities = found[[name for name in found.columns if name.startswith("p_")]].to_numpy()
    assert np.allclose(probabilities.sum(axis=1), 1.0, atol=1e-5)


@pytest.mark.slow
def test_recordings_that_need_a_sidecar_become_a_report_in_the_same_three_commands(
    shared_data: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = shared_data("eegmat_31s").resolve()
    monkeypatch.chdir(tmp_path)
    run = journey(str(folder), "--sidecar", "eegmat")
    assert "recording.task" in Path("mine.yaml").read_text()
    summary = pd.read_csv(run / "summary.csv")
    assert {"EEGNeX", "tangent space + logistic regression"} <= set(summary["model"])
    assert "95 % interval" in (run / "report.html").read_text()
