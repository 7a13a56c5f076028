"""NRMSE: the error of predicted values in units of how much the truth varies, as the EEG Challenge 2025 scores it."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from numpy import ndarray

# reaction time from the contrast change task, externalizing score across subjects
CHALLENGE_WEIGHTS = (0.3, 0.7)


def nrmse(truth: Float[ndarray, "sample"], prediction: Float[ndarray, "sample"]) -> float:
    """Root mean squared error over the standard deviation of the truth: 1 for always saying its mean, 0 for the truth.

    Raises ValueError where the truth does not vary.

    >>> truth = np.array([0.8, 1.1, 1.4])
    >>> round(nrmse(truth, np.full(3, truth.mean())), 6)
    1.0
    """
    spread = float(np.std(truth))
    if spread == 0:
        raise ValueError(
            f"the truth is {truth.flat[0]:g} in all {truth.size} samples, so NRMSE has no unit: score more samples"
        )
    return float(np.sqrt(np.mean(np.square(truth - prediction)))) / spread


def challenge_score(reaction_time: float, externalizing: float) -> float:
    """The overall score of the EEG Challenge 2025 from its two NRMSEs; lower is better.

    >>> round(challenge_score(0.94021, 0.99717), 5)
    0.98008
    """
    return CHALLENGE_WEIGHTS[0] * reaction_time + CHALLENGE_WEIGHTS[1] * externalizing
