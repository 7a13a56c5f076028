"""The module that joins an objective with its optimizer and scheduler."""

import math

import pytest
import torch
from torch import nn

from brainfm.systems.supervised import build_optimizer, build_scheduler, keyed_seed
from brainfm.systems.training import Training


def sgd(**init_args) -> dict:
    return {"class_path": "torch.optim.SGD", "init_args": init_args}


def schedule(name: str, **init_args) -> dict:
    return {"class_path": f"torch.optim.lr_scheduler.{name}", "init_args": init_args}


def rates(scheduler: dict, n_steps: int = 10) -> list[float]:
    optimizer = build_optimizer(sgd(lr=0.4, momentum=0.9), nn.Linear(2, 1))
    moving, found = build_scheduler(scheduler, optimizer, n_steps), []
    for _ in range(n_steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        moving.step()
    return found


def test_one_cycle_peaks_at_the_optimizers_rate_and_ends_with_the_training():
    found = rates(schedule("OneCycleLR"), 100)
    assert max(found) == pytest.approx(0.4, rel=1e-3)
    assert found[-1] < 1e-3


def test_a_cosine_reaches_zero_at_the_last_step():
    assert rates(schedule("CosineAnnealingLR"), 10)[-1] == pytest.approx(
        0.4 * (1 + math.cos(0.9 * math.pi)) / 2, rel=1e-5
    )


def test_what_a_recipe_states_wins_over_what_the_trainer_knows():
    assert max(rates(schedule("OneCycleLR", max_lr=0.1))) < 0.11


def test_a_scheduler_that_waits_for_a_metric_is_refused():
    with pytest.raises(ValueError, match="ReduceLROnPlateau waits for a metric"):
        build_scheduler(schedule("ReduceLROnPlateau"), build_optimizer(sgd(lr=0.1), nn.Linear(2, 1)), 10)


def test_frozen_parameters_are_left_out_of_the_optimizer():
    model = nn.Sequential(nn.Linear(2, 3).requires_grad_(False), nn.Linear(3, 1))
    assert sum(p.numel() for p in build_optimizer(sgd(lr=0.1), model).param_groups[0]["params"]) == 4


def test_a_model_without_anything_to_learn_is_refused():
    with pytest.raises(ValueError, match="Identity has no parameter that learns"):
        build_optimizer(sgd(lr=0.1), nn.Identity())


def test_factories_serve_as_well_as_names():
    optimizer = build_optimizer(lambda parameters: torch.optim.Adam(parameters, lr=0.25), nn.Linear(2, 1))
    assert optimizer.defaults["lr"] == 0.25


def test_neighbouring_keys_give_unlike_seeds():
    seeds = {keyed_seed(fold, step) for fold in range(10) for step in range(1000)}
    assert len(seeds) == 10_000


def test_an_epoch_that_ends_within_a_step_is_refused():
    with pytest.raises(ValueError, match="limit_train_batches is 3, which is no whole number of steps"):
        Training(accumulate_grad_batches=2, limit_train_batches=3)
    assert Training(accumulate_grad_batches=2, limit_train_batches=4).n_batches == 2000
