"""HBN-EEG: releases, trials, windows and scores are those of the published challenge."""

import numpy as np
import pandas as pd
import pytest

from brainfm.statistics.nrmse import challenge_score, nrmse
from data_loaders import studies
from data_loaders.archives import buckets
from data_loaders.archives.base import File
from data_loaders.contracts import Field, Recording
from data_loaders.store import Store
from data_loaders.studies.hbn_eeg import RELEASES, WINDOW, contrast_trials, rest_windows
from data_loaders.targets import resolve
from data_loaders.windows import Around
from data_loaders.writer import Writer


def events(*rows: tuple[float, str]) -> pd.DataFrame:
    return pd.DataFrame([{"onset": onset, "duration": 0.0, "trial_type": kind} for onset, kind in rows])


def test_there_are_eleven_releases_and_no_513() -> None:
    numbers = [*range(5505, 5513), 5514, 5515, 5516]
    assert {f"R{i}": f"ds00{number}" for i, number in enumerate(numbers, 1)} == RELEASES


@pytest.mark.parametrize(
    ("part", "asked"),
    [
        (None, ("nmdatasets", "NeurIPS25/R5_mini_L100_bdf/")),
        ("R1", ("nmdatasets", "NeurIPS25/R1_L100_bdf/")),
        ("R9_raw", ("openneuro.org", "ds005514/")),
    ],
)
def test_each_part_lies_where_it_was_published(part: str | None, asked: tuple, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr(buckets, "listing", lambda *a: seen.append(a) or [File("sub-1/x.bdf", "u", 1)])
    assert studies.find("hbn_eeg").chosen(part)[0].path == "sub-1/x.bdf"
    assert seen == [asked]


def test_a_trial_needs_a_stimulus_an_answer_and_a_next_trial() -> None:
    table = contrast_trials(events(
        (0, "contrastTrial_start"), (1.0, "left_target"), (1.7, "left_buttonPress"),  # answered
        (10, "contrastTrial_start"), (11.0, "left_buttonPress"),  # no stimulus
        (20, "contrastTrial_start"), (21.0, "right_target"),  # no answer
        (30, "contrastTrial_start"), (30.5, "left_buttonPress"), (31.0, "right_target"), (32.2, "right_buttonPress"),
        (32.9, "left_buttonPress"),  # the first press after the stimulus counts
        (40, "contrastTrial_start"), (41.0, "left_target"), (41.5, "left_buttonPress"),  # the last has no end
    ))  # fmt: skip
    assert table["onset"].tolist() == [1.0, 31.0]
    assert table["reaction_time"].tolist() == pytest.approx([0.7, 1.2])
    assert table["side"].tolist() == ["left", "right"]


def test_one_instruction_of_each_gives_seven_windows_of_each() -> None:
    table = rest_windows(events((100.0, "instructed_toOpenEyes"), (200.0, "instructed_toCloseEyes")))
    assert (table.query("trial_type == 'eyes_closed'")["onset"] - 200).tolist() == list(range(15, 29, 2))
    assert (table.query("trial_type == 'eyes_open'")["onset"] - 100).tolist() == list(range(5, 19, 2))
    assert set(table["duration"]) == {2.0}


def test_nothing_to_annotate_leaves_a_recording_as_it_is() -> None:
    study = studies.find("hbn_eeg")
    made = study.amended(recording(events((1.0, "break_cnt"))))
    assert made.events is not None
    assert made.events["trial_type"].tolist() == ["break_cnt"]
    assert made.decisions == ()


def recording(table: pd.DataFrame) -> Recording:
    """Sixty seconds of 129 channels at 100 Hz that count their samples."""
    names = (*tuple(f"E{i}" for i in range(1, 129)), "Cz")
    signal = np.repeat(np.arange(6000.0)[:, None], 129, axis=1)
    return Recording(
        study="hbn_eeg", subject="NDARAA", modality="eeg", sfreq=100.0, ch_names=names, ch_types=("eeg",) * 129, duration=60.0,
        units=("V",) * 129, signal=signal, events=table,
    )  # fmt: skip


def test_the_window_begins_fifty_samples_after_the_stimulus(tmp_path) -> None:
    made = studies.find("hbn_eeg").amended(recording(events(
        (2.0, "contrastTrial_start"), (3.0, "left_target"), (4.1, "left_buttonPress"), (12.0, "contrastTrial_start"),
    )))  # fmt: skip
    assert made.decisions == ("1 events named contrast_trial by hbn_eeg",)
    with Writer(tmp_path) as writer:
        writer.write(made)
    store = Store(tmp_path)
    windows = Around("contrast_trial").cut(store, WINDOW)
    _, anchor = windows.locate(np.array([0]))
    first = int(anchor[0]) + round(WINDOW[0] * 100)
    window = store.signal(0, first, first + Field(*WINDOW).n_times(100.0)).T
    assert window.shape == (129, 200)
    assert window[0, 0] == 300 + 50
    target, windows = resolve("reaction_time", windows, store)
    assert target.read(windows, np.array([0])).item() == pytest.approx(1.1)


def test_the_mean_scores_one_and_the_published_entry_its_published_score() -> None:
    truth = np.random.default_rng(0).standard_normal(100)
    assert nrmse(truth, np.full(100, truth.mean())) == pytest.approx(1)
    assert nrmse(truth, truth) == 0
    assert challenge_score(0.94021, 0.99717) == pytest.approx(0.98008, abs=5e-6)
    with pytest.raises(ValueError, match="score more samples"):
        nrmse(np.ones(5), truth[:5])
