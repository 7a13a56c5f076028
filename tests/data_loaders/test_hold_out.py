"""HoldOut: whole people where there are enough, the end of every segment where there are not."""

import numpy as np
import pandas as pd
import pytest

from data_loaders.splits import HoldOut
from data_loaders.windows import Windows, concatenate


def tiled(study: str, n_subjects: int, first_recording: int, count: int = 50) -> Windows:
    """A recording of windows of 1 s every half second, for each subject."""
    names = [f"{study}/{i}" for i in range(n_subjects)]
    rows = pd.DataFrame({"study": study, "subject": names, "recording_name": names, "segment": 0, "sfreq": 100.0})
    ones = np.ones(n_subjects, dtype=np.int64)
    return Windows(first_recording + np.arange(n_subjects), 0 * ones, 50 * ones, count * ones, rows, (0.0, 1.0))


def both() -> Windows:
    return concatenate([tiled("large", 10, 0), tiled("small", 1, 10)])


def test_of_a_large_study_whole_people_are_held_out() -> None:
    (fold,) = HoldOut(test=0.2, val=0.1).folds(both())
    people = [
        set(part.runs((part.metadata["study"] == "large").to_numpy()).column("subject"))
        for part in (fold.train, fold.val, fold.test)
    ]
    assert [len(of) for of in people] == [7, 1, 2]
    assert len(set.union(*people)) == 10


def test_of_a_small_study_the_end_of_each_segment_is_with_a_gap_before_it() -> None:
    (fold,) = HoldOut(test=0.2, val=0.1, gap=1.0).folds(both())
    seconds = []
    for part in (fold.train, fold.val, fold.test):
        small = part.runs((part.metadata["study"] == "small").to_numpy())
        at = small.locate(np.arange(len(small)))[1] / 100
        seconds.append((at.min(), at.max()))
    (train_low, train_high), (val_low, val_high), (test_low, test_high) = seconds
    assert (train_low, test_high) == (0.0, 24.5)
    assert val_low - (train_high + 1.0) >= 1.0
    assert test_low - (val_high + 1.0) >= 1.0


def test_the_seed_draws_the_people() -> None:
    draws = {tuple(sorted(set(HoldOut().folds(both(), seed=seed)[0].test.column("subject")))) for seed in range(8)}
    assert len(draws) > 3
    assert (
        HoldOut().folds(both(), seed=1)[0].test.ids().tolist() == HoldOut().folds(both(), seed=1)[0].test.ids().tolist()
    )


def test_a_share_that_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match=r"such as 0\.2"):
        HoldOut(test=0.0)
