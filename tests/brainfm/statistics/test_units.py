"""What is scored, permuted and resampled follows from where the labels lie."""

import numpy as np
import pandas as pd
import pytest

from brainfm.statistics.predictions import Predicted
from brainfm.statistics.units import clusters, exchange, groups


def predicted(
    truth: np.ndarray, subject: np.ndarray, recording: np.ndarray, segment: np.ndarray, fold: np.ndarray | None = None
) -> Predicted:
    n = len(truth)
    windows = pd.DataFrame(
        {
            "window_id": np.arange(n), "fold": 0 if fold is None else fold, "seed": 0, "subject": subject, "session": "",
            "run": "", "recording_name": recording, "segment": segment, "onset_s": np.arange(n, dtype=float),
        }
    )  # fmt: skip
    n_outputs = 2 if truth.ndim == 1 else truth.shape[1]
    return Predicted("t", windows, truth, {"m": np.ones((n, n_outputs))}, tuple("ab"[:n_outputs]))


def test_labels_that_vary_within_subjects_are_scored_per_subject_and_fold_and_shuffled_by_trial() -> None:
    p = predicted(
        np.random.default_rng(0).integers(0, 2, 80),
        np.repeat(np.arange(8), 10),
        np.repeat(np.arange(8), 10),
        np.arange(80),
    )
    assert groups(p).level == "subject and fold"
    assert exchange(p, groups(p)).name == "labels shuffled between windows"
    assert clusters(p).name == "8 subjects"


def test_one_label_per_recording_is_swapped_between_the_recordings_of_a_subject() -> None:
    subject, run = np.repeat(np.arange(8), 20), np.tile(np.repeat([0, 1], 10), 8)
    p = predicted(run, subject, subject * 2 + run, np.zeros(160))
    assert groups(p).level == "subject and fold"
    assert exchange(p, groups(p)).name == "labels shuffled between recordings"


def test_one_label_per_subject_is_scored_per_fold_and_swapped_between_subjects() -> None:
    subject = np.repeat(np.arange(8), 10)
    p = predicted(subject % 2, subject, subject, np.zeros(80), fold=subject // 4)
    assert groups(p).level == "fold"
    assert exchange(p, groups(p)).name == "labels shuffled between subjects"


def test_one_label_per_subject_left_out_in_turn_is_scored_over_all_windows() -> None:
    subject = np.repeat(np.arange(8), 10)
    assert groups(predicted(subject % 2, subject, subject, np.zeros(80), fold=subject)).level == "all windows"


def test_windows_of_one_trial_share_their_label_and_are_swapped_together() -> None:
    trial = np.arange(120) // 4
    p = predicted(np.random.default_rng(0).integers(0, 2, 30)[trial], np.zeros(120), np.zeros(120), trial)
    assert exchange(p, groups(p)).name == "labels shuffled between trials"


def test_labels_that_outlast_a_window_are_shifted_in_time() -> None:
    p = predicted(np.arange(200) // 25 % 2, np.zeros(200), np.zeros(200), np.zeros(200))
    assert exchange(p, groups(p)).shift


def test_values_are_shifted_in_time_within_their_recording() -> None:
    truth = np.random.default_rng(0).standard_normal((100, 2))
    recording = np.repeat([0, 1], 50)
    unit = exchange(p := predicted(truth, np.zeros(100), recording, np.zeros(100)), groups(p))
    assert unit.shift
    np.testing.assert_array_equal(unit.codes, recording)


@pytest.mark.parametrize(
    ("n_subjects", "recordings_each", "name"),
    [
        (6, 1, "6 subjects"),
        (3, 4, "12 recordings of 3 subjects"),
        (1, 6, "6 recordings of 1 subject"),
        (3, 2, "60 blocks of time of 3 subjects"),
        (1, 1, "20 blocks of time of 1 subject"),
    ],
)
def test_the_largest_cluster_of_which_there_are_enough_is_resampled(n_subjects, recordings_each, name) -> None:
    n = 120 * n_subjects
    subject = np.arange(n) // 120
    recording = np.arange(n) // (120 // recordings_each)
    found = clusters(predicted(np.arange(n) % 2, subject, recording, np.zeros(n)))
    assert found.name == name
    assert len(found.strata) == len(np.unique(found.codes))


def test_trials_of_one_subject_are_resampled_one_by_one() -> None:
    assert (
        clusters(predicted(np.arange(40) % 2, np.zeros(40), np.zeros(40), np.arange(40))).name
        == "40 trials of 1 subject"
    )
