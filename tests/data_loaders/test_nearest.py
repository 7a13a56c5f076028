"""The nearest label is what comparing everything finds, ties to the first, in any number of dimensions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_loaders.nearest import Nearest, NearestWithin


def by_comparing_all(labels: np.ndarray, query: np.ndarray) -> np.ndarray:
    return np.square(labels[None] - query[:, None]).sum(2).argmin(1)


def test_published_values_with_a_tie_to_the_lower_index() -> None:
    assert Nearest(np.linspace(0, 1, 11)).find(np.array([0.32, 0.05, 2.0])).tolist() == [3, 0, 10]


def test_published_values_within_classes() -> None:
    found = NearestWithin(np.array([0, 1, 0.1, 0.9]), np.array([0, 0, 1, 1]))
    assert found.find(np.zeros(2), np.array([0, 1])).tolist() == [0, 2]


@given(
    n_dims=st.sampled_from([1, 2, 3, 11]),
    size=st.integers(1, 60),
    levels=st.integers(1, 6),
    seed=st.integers(0, 2**32 - 1),
)
def test_ties_on_a_grid_go_to_the_first(n_dims: int, size: int, levels: int, seed: int) -> None:
    # halves are exact in binary, so that distances that look equal are
    rng = np.random.default_rng(seed)
    labels, query = (rng.integers(-levels, levels, (n, n_dims)) / 2 for n in (size, 40))
    assert np.array_equal(Nearest(labels).find(query), by_comparing_all(labels, query))


@pytest.mark.parametrize("n_dims", [1, 2, 3, 10, 12])
def test_a_smooth_path_of_labels(n_dims: int) -> None:
    rng = np.random.default_rng(n_dims)
    labels = np.cumsum(rng.standard_normal((2000, n_dims)), axis=0)
    query = labels[rng.integers(0, 2000, 300)] + rng.standard_normal((300, n_dims))
    assert np.array_equal(Nearest(labels).find(query), by_comparing_all(labels, query))


def test_a_constant_label_gives_its_first_window() -> None:
    for n_dims in (1, 2, 12):
        assert Nearest(np.ones((50, n_dims))).find(np.zeros((3, n_dims))).tolist() == [0, 0, 0]


def test_labels_that_hold_nan_are_refused() -> None:
    with pytest.raises(ValueError, match="NaN"):
        Nearest(np.array([0.0, np.nan]))


def test_queries_of_another_width_are_refused() -> None:
    with pytest.raises(ValueError, match="2 dimensions"):
        Nearest(np.zeros(4)).find(np.zeros((3, 2)))


@given(n_dims=st.sampled_from([1, 2, 11]), size=st.integers(2, 40), seed=st.integers(0, 2**32 - 1))
def test_the_nearest_apart_from_one_is_as_near_as_comparing_all_others_finds(n_dims: int, size: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels, query = (rng.integers(-3, 3, (n, n_dims)) / 2 for n in (size, 20))
    apart = rng.integers(0, size, 20)
    found = Nearest(labels).find(query, apart)
    distance = np.square(labels[None] - query[:, None]).sum(2)
    distance[np.arange(20), apart] = np.inf
    assert (found != apart).all()
    # of as near ones, which is left open where the nearest of all was left out
    assert np.allclose(distance[np.arange(20), found], distance.min(1))
