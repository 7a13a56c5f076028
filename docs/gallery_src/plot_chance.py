"""
Why slow labels are not shuffled
================================

A label that lasts for many windows, and a signal that drifts: a model that knows nothing is right for long stretches and
wrong for long stretches. Shuffling the labels destroys that, and makes nothing look like something.
"""

# %%
# States that last 40 windows each, and "predictions" that are a slow drift: there is nothing to be found.

import matplotlib.pyplot as plt
import numpy as np

from brainfm.statistics.metrics import ClassTally
from brainfm.statistics.permutation import p_value, shifted, shuffled

tally, n = ClassTally(2), 800


def one(seed: int) -> tuple[float, np.ndarray, np.ndarray]:
    """The score of a drift, and what shuffled and time-shifted labels score."""
    rng = np.random.default_rng(seed)
    truth = np.repeat(rng.integers(0, 2, n // 40), 40)
    drift = np.cumsum(rng.standard_normal(n))
    p = 1 / (1 + np.exp(-(drift - np.median(drift))))
    features = tally.features(truth, np.stack([1 - p, p], 1))
    nulls = (
        shuffled(features, np.arange(n), 500, rng),
        shifted(features, np.zeros(n, int), 500, rng),
    )
    scored = [tally.values(null, float(n), features.margin.sum(0))["accuracy"] for null in nulls]
    return tally.score(truth, np.stack([1 - p, p], 1))["accuracy"], scored[0], scored[1]


observed, by_shuffling, by_shifting = one(26)
figure, axes = plt.subplots(figsize=(6, 3), layout="constrained")
axes.hist(by_shuffling, bins=30, alpha=0.6, color="#d55e00", label="labels shuffled")
axes.hist(by_shifting, bins=30, alpha=0.6, color="#0072b2", label="labels shifted in time")
axes.axvline(observed, color="black", label="observed")
axes.set(xlabel="accuracy", ylabel="permutations")
_ = axes.legend()

# %%
# How often each way calls such a drift significant (it should be at most five times in a hundred).

runs = [one(seed) for seed in range(200)]
for name, null in (("shuffled", 1), ("shifted", 2)):
    found = np.mean([p_value(run[0], run[null]) < 0.05 for run in runs])
    print(f"labels {name}: p < 0.05 in {found:.0%} of 200 runs without any effect")

# %%
# The evaluators choose by themselves: see :doc:`/guides/statistics`.
