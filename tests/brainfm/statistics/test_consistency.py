"""Consistency agrees with the published numbers in sample, and cross-validated it does not find any in noise."""

import numpy as np
import pytest
from numpy import ndarray

from brainfm.statistics.consistency import between_datasets, between_runs


def pair() -> tuple[ndarray, ndarray, ndarray]:
    t = np.linspace(0, 1, 500)
    a = np.stack([np.cos(2 * np.pi * t), np.sin(2 * np.pi * t), 0.5 * np.cos(4 * np.pi * t)], 1)
    rotation = np.array([[0.8, -0.6, 0], [0.6, 0.8, 0], [0, 0, 1]])
    return t, a, a @ rotation.T + 0.05 * np.sin(np.arange(500)[:, None] * [1.1, 2.3, 3.7])


def test_runs_in_sample_are_the_published_ones() -> None:
    _, a, b = pair()
    found = between_runs([a, b], in_sample=True)
    assert found[0, 1] == pytest.approx(0.995040, abs=1e-6)
    assert found[1, 0] == pytest.approx(0.995040, abs=1e-6)
    assert np.isnan(np.diag(found)).all()


def test_datasets_in_sample_are_the_published_ones() -> None:
    t, a, b = pair()
    found = between_datasets([a, b], [t, t**2], in_sample=True)
    assert found[0, 1] == pytest.approx(0.764708, abs=1e-6)
    assert found[1, 0] == pytest.approx(0.711144, abs=1e-6)


def test_a_rotation_changes_nothing() -> None:
    t, a, _ = pair()
    turned = a @ np.linalg.qr(np.random.default_rng(0).standard_normal((3, 3)))[0]
    assert between_runs([a, turned])[0, 1] == pytest.approx(1.0)
    assert between_datasets([a, turned], [t, t], in_sample=True)[0, 1] == pytest.approx(1.0)


def test_noise_looks_consistent_in_sample_only() -> None:
    rng = np.random.default_rng(0)
    noise = [rng.standard_normal((60, 20)) for _ in range(2)]
    assert between_runs(noise, in_sample=True)[0, 1] > 0.25
    assert between_runs(noise)[0, 1] < 0
    label = [np.tile(np.arange(10) / 9, 6) for _ in range(2)]
    small = [one[:, :3] for one in noise]
    assert (
        between_datasets(small, label, in_sample=True, n_bins=9)[0, 1] > between_datasets(small, label, n_bins=9)[0, 1]
    )


def test_labels_with_gaps_are_refused_or_left_out() -> None:
    t, a, b = pair()
    gap = (t < 0.3) | (t > 0.7)
    with pytest.raises(ValueError, match="no sample has a label within 2 bins"):
        between_datasets([a[gap], b], [t[gap], t], in_sample=True)
    with pytest.raises(ValueError, match="bins of the label are common"):
        between_datasets([a[:100], b], [t[:100], 5 + t], n_bins=10)


def test_embeddings_of_other_samples_are_no_runs() -> None:
    with pytest.raises(ValueError, match="of the same samples"):
        between_runs([np.zeros((5, 2)), np.zeros((6, 2))])
