"""Filling gaps: straight lines are numpy's, and channels that copy each other fill each other."""

import numpy as np

from brainfm.statistics.filling import by_channels, by_lines


def test_lines_agree_with_pandas() -> None:
    import pandas as pd

    rng = np.random.default_rng(0)
    patches, visible = rng.standard_normal((3, 8, 5)), rng.random((3, 8)) < 0.6
    gaps = np.where(np.repeat(visible, 5, axis=1), patches.reshape(3, -1), np.nan)
    expected = pd.DataFrame(gaps.T).interpolate(limit_direction="both").to_numpy().T
    np.testing.assert_allclose(by_lines(patches, visible).reshape(3, -1), expected)


def test_a_channel_without_a_visible_patch_is_zero() -> None:
    assert not by_lines(np.ones((1, 3, 2)), np.zeros((1, 3), bool)).any()


def test_a_hidden_patch_is_read_off_a_channel_that_is_its_double() -> None:
    rng = np.random.default_rng(0)
    source = rng.standard_normal((20, 10))
    patches = np.stack([source, 2 * source, rng.standard_normal((20, 10))])
    visible = np.ones((3, 20), bool)
    visible[0, 5], visible[1, 7] = False, False
    filled = by_channels(patches * visible[..., None], visible, ridge=1e-6)
    # pairs of channels share other samples than each has alone, so their covariances are a few percent apart
    np.testing.assert_allclose(filled[0, 5], source[5], rtol=0.05, atol=0.05)
    np.testing.assert_allclose(filled[1, 7], 2 * source[7], rtol=0.05, atol=0.1)
    assert np.abs(filled[2]).max() == 0


def test_it_is_ridge_regression_on_the_visible_patches() -> None:
    rng = np.random.default_rng(1)
    patches = rng.standard_normal((4, 30, 8))
    visible = np.ones((4, 30), bool)
    visible[2, 11] = False
    known = patches * visible[..., None]
    x, y = known[[0, 1, 3]].reshape(3, -1), known[2].reshape(-1)
    # with one hidden patch the pairwise counts are all but equal, so scikit-learn's ridge is close
    from sklearn.linear_model import Ridge

    penalty = 0.1 * np.square(known).sum() / 4
    weights = Ridge(alpha=penalty, fit_intercept=False).fit(x.T, y).coef_
    np.testing.assert_allclose(by_channels(known, visible)[2, 11], weights @ patches[[0, 1, 3], 11], atol=0.02)


def test_nothing_visible_at_that_time_is_the_mean() -> None:
    patches, visible = np.ones((2, 3, 4)), np.array([[True, False, True]] * 2)
    assert not by_channels(patches * visible[..., None], visible)[:, 1].any()
