"""The simulated network does what its weights say, and the same twice."""

import numpy as np
import pytest

from data_loaders.studies.spiking_network import Network, driven, hub_network, random_network, simulate


def counts(recording, bin: float) -> np.ndarray:
    """[bin, unit]"""
    edges = np.arange(0, recording.duration + bin / 2, bin), np.arange(len(recording.ch_names) + 1)
    return np.histogram2d(recording.spikes.times, recording.spikes.channels, edges)[0]


def test_without_connections_rates_are_what_was_asked() -> None:
    recording = simulate(Network(np.zeros((20, 20)), rate=8.0), seconds=5.0, trials=20)
    rates = counts(recording, recording.duration)[0] / recording.duration
    assert rates.mean() == pytest.approx(8.0, rel=0.03)
    fano = counts(recording, 0.1).var(0) / counts(recording, 0.1).mean(0)
    assert fano.mean() == pytest.approx(1.0, abs=0.06)


def test_a_spike_acts_on_its_followers_after_the_delay_and_on_nobody_else() -> None:
    weights = np.zeros((3, 3))
    weights[0, 1] = 1.5
    recording = simulate(Network(weights, delay=0.01), seconds=10.0, trials=40)
    binned = counts(recording, 0.01) / 0.01
    after = {
        post: [binned[lag:][binned[: len(binned) - lag, 0] > 0, post].mean() for lag in (1, 2, 8)] for post in (1, 2)
    }
    assert after[1][0] > 1.3 * 8
    assert after[1][1] > 1.3 * 8
    assert after[1][2] == pytest.approx(binned[:, 1].mean(), rel=0.1)
    assert after[2] == pytest.approx([8, 8, 8], rel=0.12)


def test_hubs_are_few_and_have_many_followers() -> None:
    connected = hub_network(60, seed=3).connected
    assert sorted((connected.sum(1) > 0).tolist())[-4:] == [True] * 4
    assert (connected.sum(1) > 0).sum() == 4
    assert set(connected.sum(1)) == {0, 18}
    assert not np.diag(connected).any()
    assert random_network(200, share=0.1).connected.mean() == pytest.approx(0.1, rel=0.05)


def test_streams_drive_the_rates_by_their_gains() -> None:
    network = driven(Network(np.zeros((8, 8))), gain=0.8)
    recording = simulate(network, seconds=10.0, trials=30)
    binned = counts(recording, 1 / 50.0)
    for name in ("stimulus", "behaviour"):
        stream = recording.streams[name].values
        covariance = (stream - stream.mean(0)).T @ (binned - binned.mean(0)) / len(binned)
        assert np.corrcoef(covariance.ravel(), network.drives[name].ravel())[0, 1] > 0.9


def test_trials_are_segments_and_spikes_are_sorted() -> None:
    recording = simulate(hub_network(30), seconds=2.0, trials=5)
    assert recording.segments.tolist() == [[2.0 * i, 2.0 * i + 2] for i in range(5)]
    assert (np.diff(recording.spikes.times) >= 0).all()
    assert recording.spikes.times.max() < 10.0


def test_the_same_seed_gives_the_same_spikes() -> None:
    one, same, other = (simulate(hub_network(20), 1.0, 3, seed=seed).spikes for seed in (0, 0, 1))
    assert np.array_equal(one.times, same.times)
    assert not np.array_equal(one.times[:50], other.times[:50])


def test_a_network_that_would_run_away_is_refused() -> None:
    weights = np.zeros((2, 2))
    weights[0, 1] = weights[1, 0] = np.log1p(1 / (8.0 * 0.01))  # each spike causes one
    assert Network(weights).branching == pytest.approx(1.0)
    with pytest.raises(ValueError, match="lower the weights"):
        simulate(Network(weights * 1.01))
    for network in (hub_network(), random_network()):
        assert network.branching < 0.7
