"""Figures draw what the tables hold."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from brainfm.report.confusion import confusion, counts
from brainfm.report.curves import learning_curves
from brainfm.report.results import Results
from brainfm.report.subjects import per_subject
from brainfm.report.traces import scatter, trace


def test_a_confusion_matrix_counts_each_window_once():
    predictions = pd.DataFrame(
        {
            "truth": ["a", "a", "b", "c"],
            "p_a": [0.8, 0.2, 0.1, 0.0],
            "p_b": [0.1, 0.7, 0.8, 0.3],
            "p_c": [0.1, 0.1, 0.1, 0.7],
        }
    )
    assert_array_equal(counts(predictions), [[1, 1, 0], [0, 1, 0], [0, 0, 1]])


def test_classes_written_as_numbers_are_names_and_not_places():
    predictions = pd.DataFrame({"truth": ["10", "2", "10"], "p_2": [0.1, 0.9, 0.2], "p_10": [0.9, 0.1, 0.8]})
    assert_array_equal(counts(predictions), [[1, 0], [0, 2]])


def test_a_true_class_without_a_probability_is_refused():
    with pytest.raises(ValueError, match=r"true classes \['c'\], but probabilities only of \['a', 'b'\]"):
        counts(pd.DataFrame({"truth": ["a", "c"], "p_a": [0.5, 0.5], "p_b": [0.5, 0.5]}))


def test_forty_classes_are_drawn_without_numbers_in_the_cells():
    names = [f"f{i}" for i in range(40)]
    table = pd.DataFrame(np.eye(40), columns=[f"p_{name}" for name in names]).assign(truth=names)
    drawn = confusion({"M": table}, "c")
    assert drawn is not None
    assert ">1.00<" not in drawn.svg
    assert "between 1.00 (f0) and 1.00 (f0) of 40 classes" in drawn.alt


def test_classification_has_no_scatter_and_regression_no_confusion(classification_run, regression_run):
    classes = Results(classification_run).predictions("EEGNeX", "trial_type")
    values = Results(regression_run).predictions("GRU", "velocity")
    assert scatter(classes, "EEGNeX", "v") is None
    assert trace(classes, "EEGNeX", "t") is None
    assert confusion({"GRU": values}, "c") is None
    assert scatter(values, "GRU", "v") is not None
    assert trace(values, "GRU", "t") is not None


def test_a_trace_ends_at_a_gap_in_time(regression_run):
    values = Results(regression_run).predictions("GRU", "velocity")
    kept = values[(values["onset_s"] < 5) | (values["onset_s"] > 8)]
    drawn = trace(kept, "GRU", "t")
    assert drawn is not None
    assert "0.0 to 4.9 s" in drawn.caption


def test_learning_curves_name_the_ends_of_each_fold(classification_run, regression_run):
    drawn = learning_curves(Results(classification_run).folds, "l")
    assert drawn is not None
    assert "fold 0: training from 0.7 to" in drawn.alt
    assert learning_curves(Results(regression_run).folds, "l") is None


def test_a_single_subject_is_drawn_by_its_folds(regression_run):
    run = Results(regression_run)
    rows, summary = (table[table["metric"] == "r2"] for table in (run.rows, run.summary))
    assert "Each dot is a fold" in per_subject(rows, summary, "GRU", "s").caption


def test_chance_far_from_every_value_does_not_squeeze_the_scale(regression_run):
    run = Results(regression_run)
    rows, summary = (table[table["metric"] == "r2"] for table in (run.rows, run.summary))
    assert "← chance −40.00" in per_subject(rows, summary.assign(chance=-40.0), "GRU", "s").svg
