"""The result in words: never kinder than the numbers."""

import pytest

from brainfm.report.sentences import Line, Pair, caveats, verdict

CSP = Line("CSP + LDA", 0.63, 0.58, 0.68, 0.5)


def _second(value: float, p: float, settles: bool = True) -> str:
    ours = Line("EEGNeX", value, value - 0.06, value + 0.06, 0.5, 0.001)
    return verdict(ours, CSP, Pair(value - 0.63, p, "24 subjects", settles, 3, 5), "accuracy", "on new subjects")[1]


@pytest.mark.parametrize(
    ("value", "p", "said"),
    [
        (0.61, 0.40, "EEGNeX 0.61 [0.55, 0.67] does not beat CSP + LDA 0.63 [0.58, 0.68] (paired over 24 subjects, p = 0.4)."),
        (0.55, 0.01, "EEGNeX 0.55 [0.49, 0.61] falls behind CSP + LDA 0.63 [0.58, 0.68] (paired over 24 subjects, p = 0.01)."),
        (0.70, 0.01, "EEGNeX 0.70 [0.64, 0.76] beats the best baseline, CSP + LDA 0.63 [0.58, 0.68] (paired over 24 subjects, p = 0.01)."),
    ],
)  # fmt: skip
def test_a_comparison_says_who_is_ahead_and_whether_that_is_settled(value, p, said):
    assert _second(value, p) == said


def test_a_lead_that_the_test_does_not_settle_is_no_win():
    assert "but that is not settled" in _second(0.70, 0.2)
    assert "beats" not in _second(0.70, 0.2)


def test_folds_of_few_subjects_settle_nothing_however_small_their_p_value():
    assert "beats" not in _second(0.90, 0.0001, settles=False)
    assert "in 3 of 5 folds; with so few subjects that says nothing of others." in _second(0.90, 0.0001, settles=False)


def test_chance_is_passed_only_where_interval_and_permutations_agree():
    def first(low: float, p: float) -> str:
        return verdict(Line("M", 0.6, low, 0.7, 0.5, p), None, None, "accuracy", "on new subjects")[0]

    assert "above chance (0.50, p = 0.01)" in first(0.55, 0.01)
    assert "not distinguishable from chance" in first(0.45, 0.01)
    assert "not distinguishable from chance" in first(0.55, 0.2)


def test_a_value_below_chance_sends_the_reader_to_look_for_an_error():
    line = Line("M", 0.3, 0.2, 0.4, 0.5, 1.0)
    assert "look for an error in labels or folds" in verdict(line, None, None, "accuracy", "on new subjects")[0]


def test_caveats_go_when_the_run_is_large():
    assert caveats(n_subjects=40, n_folds=5, n_seeds=3) == []
    assert len(caveats(n_subjects=1, n_folds=1, n_seeds=1)) == 3
