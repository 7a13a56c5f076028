"""Classical classifiers find what they are made for, in any unit, and say how they chose."""

import numpy as np
import pytest

from brainfm.baselines.band_power import BandPower, log_band_power, usable_bands
from brainfm.baselines.base import Baseline
from brainfm.baselines.csp import CSP
from brainfm.baselines.log_variance import LogVariance
from brainfm.baselines.majority import Majority
from brainfm.baselines.riemann import TangentSpace
from brainfm.baselines.time_samples import TimeSamples

OF_POWER = (LogVariance, CSP, TangentSpace, BandPower)


@pytest.mark.parametrize("baseline", OF_POWER)
def test_power_is_found_by_the_baselines_of_power(baseline: type[Baseline], power, learned) -> None:
    fitted, auroc = learned(baseline(), *power)
    assert auroc > 0.9
    assert fitted.chosen


def test_power_with_a_random_phase_is_not_found_by_time_samples(power, learned) -> None:
    assert learned(TimeSamples(), *power)[1] < 0.7


def test_an_evoked_response_is_found_by_time_samples(evoked, learned) -> None:
    assert learned(TimeSamples(), *evoked)[1] > 0.95


@pytest.mark.parametrize("baseline", [*OF_POWER, TimeSamples])
def test_the_unit_of_a_channel_does_not_matter(baseline: type[Baseline], power, learned) -> None:
    X, y = power
    # microvolts beside teslas, as when EEG and MEG are recorded together
    rescaled = X * np.array([1e6, 1, 1e-6, 1, 1e-7, 1], dtype=np.float32)[:, None]
    assert learned(baseline(), rescaled, y)[1] == pytest.approx(learned(baseline(), X, y)[1], abs=0.02)


@pytest.mark.parametrize("baseline", [*OF_POWER, TimeSamples])
def test_shuffled_labels_are_not_found(baseline: type[Baseline], power, learned) -> None:
    X, y = power
    aurocs = [learned(baseline(), X, np.random.default_rng(seed).permutation(y))[1] for seed in range(4)]
    assert abs(np.mean(aurocs) - 0.5) < 0.2


@pytest.mark.parametrize("baseline", [*OF_POWER, TimeSamples, Majority])
def test_probabilities_add_up_and_a_class_missing_in_training_has_none(baseline: type[Baseline], power, fit) -> None:
    X, y = power
    p = fit(baseline(), X, y * 2).predict(X[:7])
    np.testing.assert_allclose(p.sum(1), 1, rtol=1e-6)
    assert p.shape == (7, 3)
    assert (p[:, 1] == 0).all()


@pytest.mark.parametrize("baseline", [TangentSpace, CSP])
def test_hundreds_of_channels_and_a_flat_one_are_no_obstacle(baseline: type[Baseline], learned) -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 4, 60)
    X = rng.standard_normal((60, 70, 50))
    X[:, :4] *= (1 + 3 * np.eye(4)[y])[:, :, None]
    X[:, 69] = 0
    assert learned(baseline(), X.astype(np.float32), y, sfreq=50.0)[1] > 0.6


def test_band_power_sees_a_sine_in_its_band() -> None:
    time = np.arange(512) / 128
    X = np.stack([np.sin(2 * np.pi * f * time) for f in (10, 25)])[:, None].astype(np.float32)
    bands = usable_bands(128.0, 512)
    power = log_band_power(X, 128.0)
    assert [bands[k] for k in power.argmax(1)] == [(8, 13), (20, 30)]


def test_short_windows_and_slow_sampling_leave_out_bands() -> None:
    assert usable_bands(128.0, 64) == [(4, 8), (8, 13), (13, 20), (20, 30), (30, 45)]
    assert usable_bands(10.0, 600) == [(1, 4)]


@pytest.mark.parametrize(
    ("baseline", "change", "reason"),
    [
        (CSP, {"n_chans": 1}, "one channel"),
        (TangentSpace, {"n_chans": 1}, "one channel"),
        (LogVariance, {"n_times": 3}, "too short"),
        (BandPower, {"n_times": 8}, "two cycles"),
        (LogVariance, {"ch_types": ["unit", "unit"]}, "spike counts"),
    ],
)
def test_a_baseline_says_why_it_does_not_suit(baseline: type[Baseline], change: dict, reason: str) -> None:
    facts = {"n_chans": 2, "n_times": 256, "sfreq": 128.0, "ch_types": ["eeg", "eeg"]}
    assert baseline().suits(facts) is None
    assert reason in (baseline().suits(facts | change) or "")
