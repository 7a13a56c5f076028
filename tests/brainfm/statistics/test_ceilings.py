"""Ceilings: what was planted comes back, and what has no signal has none."""

import numpy as np
import pytest
from numpy import ndarray

from brainfm.statistics import ceilings


def repeats(snr: float, n: int = 10, n_times: int = 251, n_chans: int = 400, seed: int = 0) -> tuple[ndarray, ndarray]:
    """A signal of variance `snr` in noise of variance 1, and its repeats."""
    rng = np.random.default_rng(seed)
    signal = np.sqrt(snr) * rng.standard_normal((n_times, n_chans))
    return signal, signal + rng.standard_normal((n, n_times, n_chans))


@pytest.mark.parametrize(("snr", "published", "within"), [(2.0, 0.988, 0.001), (1.0, 0.954, 0.002), (0.3, 0.69, 0.015)])
def test_repeats_give_the_published_ceiling(snr: float, published: float, within: float) -> None:
    # the figures are for an SNR of standard deviations: CC_max = 1 / sqrt(1 + 1 / (n snr^2)) with n = 10 repeats
    assert published == pytest.approx(1 / np.sqrt(1 + 1 / (10 * snr**2)), abs=0.002)
    signal, responses = repeats(snr**2)
    found = ceilings.from_repeats(responses)
    assert np.nanmedian(found) == pytest.approx(published, abs=within)
    # what the true signal reaches is the ceiling itself
    reached = [np.corrcoef(signal[:, v], responses[:, :, v].mean(0))[0, 1] for v in range(400)]
    assert np.nanmedian(found) == pytest.approx(np.median(reached), abs=within)


@pytest.mark.parametrize(("snr", "drawn"), [(2.0, 0.9872), (1.0, 0.9511), (0.3, 0.7555), (0.0, 0.08)])
def test_the_published_single_draws_are_within_ours(snr: float, drawn: float) -> None:
    found = ceilings.from_repeats(repeats(snr**2)[1])
    assert np.nanmin(found) < drawn < np.nanmax(found)


def test_noise_alone_has_a_low_ceiling_or_none() -> None:
    _, responses = repeats(0.0)
    found = ceilings.from_repeats(responses)
    assert np.isnan(found).mean() > 0.3
    assert np.nanmedian(found) < 0.5


def test_identical_repeats_have_a_ceiling_of_one() -> None:
    one = np.random.default_rng(0).standard_normal((50, 3))
    assert np.allclose(ceilings.from_repeats(np.stack([one, one, one])), 1.0)
    assert np.allclose(ceilings.from_halves(np.stack([one, one, one, one])), 1.0)


def test_halves_agree_with_repeats() -> None:
    _, responses = repeats(1.0)
    halves, whole = ceilings.from_halves(responses), ceilings.from_repeats(responses)
    assert np.nanmean(halves) == pytest.approx(np.nanmean(whole), abs=0.01)


def test_scaling_a_repeat_changes_nothing() -> None:
    _, responses = repeats(1.0, n_chans=5)
    scaled = responses * np.arange(1, 11)[:, None, None] + 3
    assert np.allclose(ceilings.from_repeats(scaled), ceilings.from_repeats(responses))


def test_other_subjects_bound_what_a_stimulus_model_can_reach() -> None:
    signal, responses = repeats(0.5, n=8)
    found, raw = ceilings.from_others(responses), ceilings.from_others(responses, corrected=False)
    reached = [[np.corrcoef(signal[:, v], responses[s, :, v])[0, 1] for v in range(400)] for s in range(8)]
    assert np.nanmean(found) == pytest.approx(np.mean(reached), abs=0.02)
    assert np.nanmean(raw) < np.nanmean(found)


def test_two_subjects_cannot_be_corrected_and_one_is_refused() -> None:
    _, responses = repeats(1.0, n=2, n_chans=3)
    assert np.isnan(ceilings.from_others(responses)).all()
    assert np.isfinite(ceilings.from_others(responses, corrected=False)).all()
    with pytest.raises(ValueError, match="at least 2 subjects"):
        ceilings.from_others(responses[:1])


def test_normalised_scores_have_a_floor() -> None:
    assert ceilings.normalised(np.array([0.1, 0.1, 0.1]), np.array([0.5, 0.1, np.nan])).tolist() == [0.2, 0.4, 0.4]


def test_spearman_brown_by_hand() -> None:
    assert ceilings.longer(np.array([0.6]), 2.0)[0] == pytest.approx(0.75)
