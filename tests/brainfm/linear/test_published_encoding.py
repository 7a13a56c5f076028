"""The published encoding model from end to end on simulated stories: its null, and the same on two kinds of devices."""

import numpy as np
import pytest
import torch
from numpy import ndarray

from brainfm.linear.chunks import resampled
from brainfm.linear.ridge import RidgeOptions, fit_ridge
from brainfm.statistics.encoding import correlation
from brainfm.stimuli.alignment import delayed, z_scored

N_STORIES, N_FRAMES, N_VOXELS = 8, 120, 40
ROOTS = np.logspace(1, 4, 15)


def stories(seed: int = 0) -> tuple[list[ndarray], list[ndarray]]:
    """Features and responses of each story: every voxel follows the features two frames before, with noise of the same size."""
    rng = np.random.default_rng(seed)
    weights = rng.standard_normal((6, N_VOXELS)) / np.sqrt(6)
    features = [z_scored(rng.standard_normal((N_FRAMES, 6))) for _ in range(N_STORIES)]
    noise = [rng.standard_normal((N_FRAMES, N_VOXELS)) for _ in range(N_STORIES)]
    return features, [z_scored(np.roll(x, 2, axis=0) @ weights + e) for x, e in zip(features, noise, strict=True)]


def scored(features: list[ndarray], responses: list[ndarray], device: str = "cpu") -> ndarray:
    """Correlation per voxel on the last two stories, as published: delays 1 to 4, chunks of 20 frames, roots of penalties."""
    x, y = delayed(np.concatenate(features), [1, 2, 3, 4]), np.concatenate(responses)
    train = N_FRAMES * (N_STORIES - 2)
    options = RidgeOptions("signed_root", intercept=False, device=device)
    fit = fit_ridge(x[:train], y[:train], ROOTS**2, resampled(train, seed=0), options)
    return correlation(y[train:], fit.predict(x[train:]))


def test_stories_that_are_shuffled_correlate_within_three_standard_errors_of_zero() -> None:
    features, responses = stories()
    assert scored(features, responses).mean() > 0.6
    means = []
    for seed in range(12):
        order = np.random.default_rng(seed).permutation(N_STORIES)
        while (order == np.arange(N_STORIES)).any():  # a story that stays with its own responses is not shuffled
            order = np.random.default_rng(order).permutation(N_STORIES)
        means.append(scored([features[k] for k in order], responses).mean())
    # voxels share their features: the shuffles, not the voxels, are what is independent
    assert abs(np.mean(means)) < 3 * np.std(means, ddof=1) / np.sqrt(len(means))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_scores_what_the_processor_scores() -> None:
    features, responses = stories()
    assert np.abs(scored(features, responses, "cuda") - scored(features, responses)).max() < 1e-4
