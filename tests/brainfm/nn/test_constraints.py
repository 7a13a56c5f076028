"""Max-norm: on every use, or by bringing the stored weight back."""

import copy

import pytest
import torch
from torch import nn

from brainfm.nn.constraints import constrain, project


def layer(scale: float = 3.0) -> nn.Linear:
    torch.manual_seed(0)
    made = nn.Linear(5, 4, bias=False)
    nn.init.normal_(made.weight, std=scale)
    return made


def test_constrained_rows_are_those_of_renorm_and_short_ones_stay() -> None:
    made = layer()
    made.weight.data[0] = torch.tensor([0.1, 0, 0, 0, 0])
    stored = made.weight.detach().clone()
    constrain(made, 1.0)
    assert torch.equal(made.weight, stored.renorm(2, 0, 1.0))
    assert torch.equal(made.weight[0], stored[0])
    assert torch.equal(made.parametrizations.weight.original, stored)


def test_gradients_pass_through_the_scaling() -> None:
    made = layer().double()
    constrain(made, 1.0)
    original = made.parametrizations.weight.original
    assert torch.autograd.gradcheck(lambda stored: made.parametrizations.weight[0](stored), (original,))


def test_a_projected_weight_is_inside_the_limit_after_its_next_use() -> None:
    made = layer()
    project(made, 0.5)
    made(torch.ones(1, 5))
    assert made.weight.norm(dim=1).max() <= 0.5 + 1e-6


def test_a_projected_weight_may_be_used_twice_before_the_gradient() -> None:
    made = layer()
    project(made, 0.5)
    (made(torch.ones(1, 5)).sum() * made(torch.ones(1, 5)).sum()).backward()
    assert made.weight.grad is not None


def test_a_copy_projects_its_own_weight() -> None:
    made = layer()
    project(made, 0.5)
    other = copy.deepcopy(made)
    other(torch.ones(1, 5))
    assert other.weight.norm(dim=1).max() <= 0.5 + 1e-6
    assert made.weight.norm(dim=1).max() > 0.5


def test_a_limit_must_be_positive() -> None:
    with pytest.raises(ValueError, match="positive"):
        constrain(layer(), 0.0)
