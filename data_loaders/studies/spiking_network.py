"""Simulated spikes of a network whose connections are known: hubs or random, driven by stimulus and behaviour if asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from data_loaders.contracts import Recording, Spikes, Stream


@dataclass(frozen=True)
class Network:
    """A coupled Poisson network: each neuron's rate is multiplied by what the spikes of others did a moment before.

    `weights[pre, post]` is in units of log rate, `rate` the rate in hertz without input. A spike acts after `delay` seconds
    and wears off with the time constant `decay`. `drives` give each neuron's gain for named streams.
    Reference: Truccolo et al. 2005, https://doi.org/10.1152/jn.00697.2004 (point-process GLM with coupling filters).
    """

    weights: Float[ndarray, "pre post"]
    rate: float = 8.0
    delay: float = 0.01
    decay: float = 0.01
    drives: Mapping[str, Float[ndarray, "feature post"]] = field(default_factory=dict)

    @property
    def connected(self) -> Bool[ndarray, "pre post"]:
        """Which neuron acts on which."""
        return self.weights != 0

    @property
    def branching(self) -> float:
        """How many spikes a spike causes in the mean, about, along the strongest loop: from 1 on the network runs away."""
        caused = self.rate * self.decay * np.expm1(self.weights)
        return float(np.abs(np.linalg.eigvals(caused)).max())


def hub_network(
    n_units: int = 300, n_hubs: int | None = None, share: float = 0.3, weight: float = 0.8, seed: int = 0
) -> Network:
    """A few hubs (one in 15) excite a share of all others each; nothing else is connected (Antoniades et al. 2024, simulation)."""
    rng = np.random.default_rng([seed, 1])
    n_hubs = max(1, n_units // 15) if n_hubs is None else n_hubs
    weights = np.zeros((n_units, n_units))
    for hub in rng.choice(n_units, n_hubs, replace=False):
        others = np.delete(np.arange(n_units), hub)
        weights[hub, rng.choice(others, round(share * len(others)), replace=False)] = weight
    return Network(weights)


def random_network(n_units: int = 300, share: float = 0.02, weight: float = 0.5, seed: int = 0) -> Network:
    """Any neuron excites any other with the same chance; weights are low, for there are loops."""
    rng = np.random.default_rng([seed, 2])
    weights = np.where(rng.random((n_units, n_units)) < share, weight, 0.0)
    np.fill_diagonal(weights, 0.0)
    return Network(weights)


def driven(network: Network, n_stimulus: int = 4, n_behaviour: int = 1, gain: float = 0.8, seed: int = 0) -> Network:
    """The network with a gain of each neuron for a `stimulus` and a `behaviour` stream, drawn from a normal distribution."""
    rng, n = np.random.default_rng([seed, 3]), network.weights.shape[1]
    sizes = {"stimulus": n_stimulus, "behaviour": n_behaviour}
    return replace(network, drives={name: gain * rng.standard_normal((size, n)) for name, size in sizes.items()})


def simulate(
    network: Network, seconds: float = 10.0, trials: int = 60, step: float = 0.001, seed: int = 0
) -> Recording:
    """Trials of `seconds` each, one after another in one recording, each a segment of its own.

    All trials are simulated at once, so the cost is `seconds / step` products of [trials, units] by [units, units].
    Streams that drive the network are smooth noise at 50 Hz. Raises ValueError for a network that would run away.
    """
    if network.branching >= 1:
        raise ValueError(
            f"each spike causes {network.branching:.2f} more, expected less than 1: lower the weights, the share of connections or the rate"
        )
    rng, n = np.random.default_rng([seed, 4]), len(network.weights)
    drive = {name: _smooth(rng, trials, seconds, len(gain)) for name, gain in network.drives.items()}
    trace, lag = np.zeros((trials, n)), max(1, round(network.delay / step))
    fired: list[ndarray] = [np.zeros((trials, n), bool)] * lag
    found = []
    for tick in range(round(seconds / step)):
        trace = trace * np.exp(-step / network.decay) + fired[-lag]
        log_rate = trace @ network.weights + sum(
            values[:, int(tick * step * _CLOCK)] @ network.drives[name] for name, values in drive.items()
        )
        # no neuron fires faster than every other step, whatever drives it
        chance = np.minimum(network.rate * step * np.exp(log_rate), 0.5)
        now = (rng.random((trials, n)) < chance) & ~fired[-1]
        fired = [*fired[1 - lag :], now] if lag > 1 else [now]
        trial, unit = np.nonzero(now)
        found.append(np.stack([trial * seconds + (tick + rng.random(len(trial))) * step, unit]))
    return _recording(network, np.concatenate(found, 1), drive, seconds, trials, seed)


_CLOCK = 50.0  # hertz, of the streams


def _smooth(rng: np.random.Generator, trials: int, seconds: float, n: int) -> Float[ndarray, "trial time feature"]:
    """Noise of unit variance that changes over about a tenth of a second."""
    from scipy.ndimage import gaussian_filter1d

    noise = gaussian_filter1d(rng.standard_normal((trials, round(seconds * _CLOCK) + 1, n)), 5.0, axis=1, mode="wrap")
    return (noise / noise.std())[:, :-1]


def _recording(network: Network, found: ndarray, drive: dict, seconds: float, trials: int, seed: int) -> Recording:
    n, order = len(network.weights), np.argsort(found[0], kind="stable")
    streams = {
        name: Stream(values.reshape(-1, values.shape[-1]).astype(np.float32), _CLOCK) for name, values in drive.items()
    }
    names = np.array([f"unit{i}" for i in range(n)])
    return Recording(
        study="SpikingNetwork", subject="simulated", session=str(seed), modality="spikes", sfreq=1000.0,
        duration=trials * seconds, ch_names=tuple(names.tolist()), ch_types=("unit",) * n, units=("",) * n,
        spikes=Spikes(found[0][order], found[1][order].astype(np.int64)), streams=streams,
        segments=np.stack([np.arange(trials), np.arange(1, trials + 1)], 1) * seconds,
        ch_columns={"drives": tuple(" ".join(names[row]) for row in network.connected)},
        decisions=(f"simulated: {int(network.connected.sum())} connections between {n} units, {trials} trials",),
    )  # fmt: skip
