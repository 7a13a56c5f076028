"""InfoNCE agrees with the numbers published for it, to the sixth digit."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from brainfm.nn.contrastive import Temperature, goodness_of_fit, info_nce


def matrix(p: float) -> Tensor:
    i, j = np.mgrid[0:8, 0:3]
    return torch.tensor(np.sin(1.3 * (3 * i + j) + p))


def cosine() -> tuple[Tensor, ...]:
    return tuple(F.normalize(matrix(p), dim=1) for p in (0.0, 0.5, 1.0))


@pytest.mark.parametrize(
    ("temperature", "expected"),
    [
        (1.0, (1.443297, -0.875384, 2.318681)),
        (0.5, (1.160348, -1.750767, 2.911115)),
        (0.1, (1.280790, -8.753837, 10.034627)),
    ],
)
def test_cosine_losses_are_the_published_ones(temperature: float, expected: tuple[float, ...]) -> None:
    found = info_nce(*cosine(), inverse_temperature=1 / temperature)
    assert (found.total.item(), found.align.item(), found.uniform.item()) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("temperature", "expected"), [(1.0, (1.041098, 0.365460, 0.675638)), (0.5, (1.023637, 0.730920, 0.292717))]
)
def test_euclidean_losses_are_the_published_ones(temperature: float, expected: tuple[float, ...]) -> None:
    found = info_nce(matrix(0.0), matrix(0.5), matrix(1.0), "euclidean", 1 / temperature)
    assert (found.total.item(), found.align.item(), found.uniform.item()) == pytest.approx(expected, abs=1e-6)


def test_a_learned_temperature_stops_at_its_bound_with_a_gradient_of_zero() -> None:
    temperature = Temperature(0.05, learn=True, minimum=0.1).double()
    found = info_nce(*cosine(), inverse_temperature=temperature.inverse())
    found.total.backward()
    assert found.total.item() == pytest.approx(1.280790, abs=1e-6)
    assert temperature.log_inverse.grad == 0


def test_the_gradient_of_the_temperature_is_the_published_one() -> None:
    temperature = Temperature(1.0, learn=True).double()
    info_nce(*cosine(), inverse_temperature=temperature.inverse()).total.backward()
    assert temperature.log_inverse.grad is not None
    assert temperature.log_inverse.grad.item() == pytest.approx(-0.423940, abs=1e-6)


def test_a_fixed_temperature_does_not_learn_and_has_no_bound() -> None:
    temperature = Temperature(0.05)
    assert [*temperature.parameters()] == []
    assert temperature.inverse().item() == pytest.approx(20.0)


@pytest.mark.parametrize("temperature", [0.1, 1.0, 3.0])
@pytest.mark.parametrize("similarity", ["cosine", "euclidean"])
def test_a_collapsed_embedding_costs_the_log_of_the_negatives(similarity: str, temperature: float) -> None:
    point = torch.tensor([[0.6, 0.8]]).double().expand(8, 2)
    loss = info_nce(point, point, point, similarity, 1 / temperature).total
    assert loss.item() == pytest.approx(2.079442, abs=1e-6)
    assert goodness_of_fit(loss, 8).item() == pytest.approx(0.0, abs=1e-9)


def test_goodness_of_fit_counts_the_negatives_of_all_sessions() -> None:
    loss = torch.tensor(5.0).double()
    assert goodness_of_fit(loss, 512).item() == pytest.approx(1.786525, abs=1e-6)
    assert goodness_of_fit(loss, 4 * 512).item() == pytest.approx(3.786525, abs=1e-6)


@pytest.mark.parametrize("similarity", ["cosine", "euclidean"])
def test_the_order_of_items_does_not_matter(similarity: str) -> None:
    views = cosine()
    order = torch.randperm(8, generator=torch.Generator().manual_seed(0))
    shuffled = info_nce(views[0][order], views[1][order], views[2].flip(0), similarity)
    assert shuffled.total.item() == pytest.approx(info_nce(*views, similarity).total.item())


def test_a_long_way_from_the_origin_distances_keep_their_digits() -> None:
    torch.manual_seed(0)
    views = [torch.randn(32, 3) for _ in range(3)]
    far = [view + 1000 for view in views]
    assert info_nce(*far, "euclidean").total.item() == pytest.approx(
        info_nce(*views, "euclidean").total.item(), rel=1e-3
    )


@pytest.mark.parametrize("value", [0.0, -1.0])
def test_temperatures_are_positive(value: float) -> None:
    with pytest.raises(ValueError, match="positive"):
        Temperature(value)
