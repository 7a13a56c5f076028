"""Alignment: the published numbers, sums that stay, and borders that hold."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brainfm.stimuli import alignment

TIMES, FRAMES = np.arange(0, 20, 0.37), np.arange(1, 18, 2.0)
# measured on the released code, as the spec has them
SINE = [4.1499, 0.7679, -5.0177, 3.4414, 2.1588, -5.2382, 2.2009, 3.3922, -4.9316]
ONES = [5.3051, 5.4190, 5.3762, 5.3894, 5.3895, 5.3895, 5.3894, 5.3752, 5.4253]


def test_the_kernel_has_the_published_values() -> None:
    found = alignment.kernel(np.array([0, 0.5, 1, 2, 3, 5.9, 6.1]), 0.5)
    assert np.allclose(found, [1, 0.890067, 0.607927, 0, -0.135095, 0.000286, 0], atol=5e-7)


def test_resampling_has_the_published_values() -> None:
    assert np.allclose(alignment.lanczos(np.sin(TIMES)[:, None], TIMES, FRAMES)[:, 0], SINE, atol=5e-5)
    assert np.allclose(alignment.lanczos(np.ones((len(TIMES), 1)), TIMES, FRAMES)[:, 0], ONES, atol=5e-5)


def test_the_normalised_kernel_leaves_a_constant_alone_and_silence_at_zero() -> None:
    frames = np.arange(1, 60, 2.0)
    found = alignment.lanczos(np.full((len(TIMES), 1), 7.0), TIMES, frames, normalize=True)[:, 0]
    assert np.allclose(found[frames < 20], 7.0)
    assert (found[frames > 27] == 0).all()


@given(st.floats(-1e4, 1e4))
def test_a_shift_of_both_clocks_changes_nothing(shift: float) -> None:
    values = np.sin(TIMES)[:, None]
    moved = alignment.lanczos(values, TIMES + shift, FRAMES + shift)
    assert np.allclose(moved, alignment.lanczos(values, TIMES, FRAMES), atol=1e-6)


def test_delays_as_published() -> None:
    found = alignment.delayed(np.arange(1.0, 6.0)[:, None], [1, 2, 3, 4])
    assert found.astype(int).tolist() == [[0, 0, 0, 0], [1, 0, 0, 0], [2, 1, 0, 0], [3, 2, 1, 0], [4, 3, 2, 1]]


def test_delays_do_not_cross_a_border_unless_as_published() -> None:
    features, run = np.arange(1.0, 7.0)[:, None], np.array([0, 0, 0, 1, 1, 1])
    assert alignment.delayed(features, [1], run)[:, 0].tolist() == [0, 1, 2, 0, 4, 5]
    assert alignment.delayed(features, [1])[:, 0].tolist() == [0, 1, 2, 3, 4, 5]
    assert alignment.delayed(features, [-1], run)[:, 0].tolist() == [2, 3, 0, 5, 6, 0]


def test_z_scores_use_the_population_and_leave_constants_at_zero() -> None:
    values = np.array([[1.0, 5.0, 1.0], [3.0, 5.0, np.nan]])
    assert alignment.z_scored(values).tolist() == [[-1, 0, 0], [1, 0, 0]]


def test_trimming_takes_ten_and_five_and_refuses_a_short_run() -> None:
    assert alignment.trimmed(np.arange(20.0)[:, None])[:, 0].tolist() == [10, 11, 12, 13, 14]
    with pytest.raises(ValueError, match="15 samples are too few"):
        alignment.trimmed(np.zeros((15, 1)))


def test_the_canonical_response_peaks_after_five_seconds_and_stays_in_its_run() -> None:
    impulse = np.zeros((80, 1))
    impulse[0] = 1
    found = alignment.haemodynamic(impulse, 2.0, np.repeat([0, 1], 40))
    assert 4.0 <= found[:, 0].argmax() / 2.0 <= 6.0
    assert (found[40:] == 0).all()
    assert found.sum() == pytest.approx(1.0, abs=0.05)
