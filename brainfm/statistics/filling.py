"""Filling gaps without a model: what hidden patches are by straight lines in time, and by the other channels."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray


def by_lines(
    patches: Float[ndarray, "channel patch sample"], visible: Bool[ndarray, "channel patch"]
) -> Float[ndarray, "channel patch sample"]:
    """Each channel with a straight line from the last visible sample before a gap to the first after it; level at the ends.

    >>> by_lines(np.array([[[0.0], [9.0], [4.0]]]), np.array([[True, False, True]])).ravel().tolist()
    [0.0, 2.0, 4.0]
    """
    n_samples = patches.shape[-1]
    time = np.arange(patches.shape[1] * n_samples)
    filled = np.zeros((len(patches), len(time)), patches.dtype)
    for channel, (values, known) in enumerate(zip(patches.reshape(len(patches), -1), visible, strict=True)):
        seen = np.repeat(known, n_samples)
        if seen.any():
            filled[channel] = np.interp(time, time[seen], values[seen])
    return filled.reshape(patches.shape)


def by_channels(
    patches: Float[ndarray, "channel patch sample"], visible: Bool[ndarray, "channel patch"], ridge: float = 0.1
) -> Float[ndarray, "channel patch sample"]:
    """Each hidden patch as the linear combination of the channels that are visible at its time; zero where there are none.

    The combination is that of least squares under the covariance of channels over the visible patches of the window itself,
    with `ridge` (a share of the mean variance) on its diagonal. Channels have mean zero.
    """
    n_chans, n_patches, n_samples = patches.shape
    covariance = _covariance(patches.reshape(n_chans, -1), np.repeat(visible, n_samples, axis=1).astype(float))
    covariance += ridge * max(np.trace(covariance) / n_chans, 1e-30) * np.eye(n_chans)
    filled = np.zeros_like(patches)
    for patch in range(n_patches):
        seen, gap = visible[:, patch], ~visible[:, patch]
        if seen.any() and gap.any():
            weights = np.linalg.solve(covariance[np.ix_(seen, seen)], covariance[np.ix_(seen, gap)])  # [seen, gap]
            filled[gap, patch] = weights.T @ patches[seen, patch]
    return filled


def _covariance(
    values: Float[ndarray, "channel time"], seen: Float[ndarray, "channel time"]
) -> Float[ndarray, "channel channel"]:
    """Covariance over the samples that both channels of a pair have, brought to the nearest that can be one."""
    product = (values * seen) @ (values * seen).T / np.maximum(seen @ seen.T, 1)
    size, axes = np.linalg.eigh(product)
    return (axes * size.clip(min=0)) @ axes.T
