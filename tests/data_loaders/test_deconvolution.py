"""Deconvolution solves what it says, finds simulated spikes, and refuses what it cannot read."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import nnls

from data_loaders.transforms import Deconvolve, SignalInfo
from data_loaders.transforms.deconvolution import deconvolved, noise

SFREQ, DECAY = 30.0, 0.7


def info(n_chans: int, sfreq: float = SFREQ) -> SignalInfo:
    return SignalInfo(
        sfreq, tuple(f"roi{i}" for i in range(n_chans)), ("calcium",) * n_chans, np.full((n_chans, 3), np.nan)
    )


def fluorescence(
    seed: int = 0, n_chans: int = 6, n_times: int = 3000, sd: float = 0.25
) -> tuple[np.ndarray, np.ndarray]:
    """Traces of cells that fire at 0.5 Hz, on a baseline of 2, and their spikes."""
    rng = np.random.default_rng(seed)
    spikes = rng.poisson(0.5 / SFREQ, (n_chans, n_times)).astype(float)
    calcium, gamma = np.zeros_like(spikes), np.exp(-1 / (DECAY * SFREQ))
    for t in range(n_times):
        calcium[:, t] = gamma * calcium[:, t - 1] * (t > 0) + spikes[:, t]
    return (2.0 + calcium + sd * rng.standard_normal(spikes.shape)).astype(np.float32), spikes


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10_000), st.integers(1, 60), st.floats(0.05, 0.98), st.floats(0.0, 2.0))
def test_it_is_the_solution_of_penalised_nonnegative_least_squares(seed, n, gamma, penalty) -> None:
    trace = np.random.default_rng(seed).standard_normal(n) + 0.5
    kernel = np.tril(
        gamma ** np.maximum(np.subtract.outer(np.arange(n), np.arange(n)), 0.0)
    )  # calcium = kernel @ activity
    # the penalty's gradient is constant: solving kernel.T @ shift = penalty makes plain least squares of it
    shift = np.linalg.solve(kernel.T, np.full(n, penalty))
    activity, _ = nnls(kernel, trace - shift)
    np.testing.assert_allclose(deconvolved(trace, gamma, penalty), kernel @ activity, atol=1e-7)


def test_spikes_of_simulated_cells_are_found() -> None:
    traces, spikes = fluorescence()
    found, _ = Deconvolve(DECAY).step(traces, info(6))
    assert found.dtype == np.float32
    assert (found >= 0).all()
    smooth = np.hanning(5) / np.hanning(5).sum()
    for one, truth, trace in zip(found, spikes, traces, strict=True):
        agreement = np.corrcoef(*(np.convolve(x, smooth, "same") for x in (one, truth)))[0, 1]
        raw = np.corrcoef(np.convolve(trace, smooth, "same"), np.convolve(truth, smooth, "same"))[0, 1]
        assert agreement > 0.85
        assert agreement > raw + 0.3


def test_the_calcium_is_nearer_to_the_truth_than_the_trace() -> None:
    traces, _ = fluorescence()
    clean, _ = fluorescence(sd=0.0)
    calcium, _ = Deconvolve(DECAY, penalty=0.0, gives="calcium").step(traces, info(6))
    assert np.std(calcium - clean) < 0.6 * np.std(traces - clean)


def test_gain_and_offset_of_a_trace_change_only_the_size_of_its_activity() -> None:
    traces, _ = fluorescence()
    one, other = (Deconvolve(DECAY).step(x.astype(np.float64), info(6))[0] for x in (traces, 40.0 * traces - 7.0))
    np.testing.assert_allclose(other, 40.0 * one, rtol=1e-4, atol=1e-4)


def test_a_trace_that_does_not_move_has_no_activity() -> None:
    found, _ = Deconvolve().step(np.full((1, 100), 3.0, np.float32), info(1))
    assert not found.any()


def test_the_noise_is_that_of_white_noise_under_slow_calcium() -> None:
    traces, _ = fluorescence(n_times=20_000)
    assert [noise(trace) for trace in traces.astype(float)] == pytest.approx([0.25] * 6, rel=0.1)


@pytest.mark.parametrize("wrong", [{"decay": 0.0}, {"penalty": -1.0}, {"baseline": 1.5}])
def test_what_makes_no_sense_is_refused(wrong) -> None:
    with pytest.raises(ValueError, match="expected"):
        Deconvolve(**wrong)


def test_a_trace_with_holes_is_named_and_a_live_stream_is_refused() -> None:
    traces, _ = fluorescence(n_times=100)
    traces[3, 5] = np.nan
    with pytest.raises(ValueError, match="roi3"):
        Deconvolve().step(traces, info(6))
    with pytest.raises(ValueError, match="looks ahead"):
        Deconvolve().step(traces, info(6), carry=1)
