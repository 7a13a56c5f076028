"""Regression: the loss in standardised units, predictions in the target's own."""

from collections.abc import Callable

import pytest
import torch

from brainfm.encoders.gru import GRU
from brainfm.objectives.regression import Regression
from data_loaders.contracts import Batch

AsBatch = Callable[..., Batch]
VELOCITY = torch.tensor([[0.0, 100.0], [0.1, 300.0], [0.2, 200.0], [0.3, 400.0]])


@pytest.fixture
def batch(as_batch: AsBatch) -> Batch:
    return as_batch(torch.randn(4, 2, 9, generator=torch.Generator().manual_seed(0)), velocity=VELOCITY)


def objective(**options: object) -> Regression:
    torch.manual_seed(0)
    return Regression(GRU(2, hidden=5, dropout=0.0), 2, **options)  # type: ignore[arg-type]


def test_without_statistics_the_loss_is_the_squared_error(batch: Batch) -> None:
    made = objective(target="velocity")
    torch.testing.assert_close(made.loss(batch)["loss"], (made.predict(batch)["velocity"] - VELOCITY).square().mean())


def test_units_of_the_target_change_neither_loss_nor_prediction(batch: Batch) -> None:
    mean, std = VELOCITY.mean(0), VELOCITY.std(0)
    made = objective(target_mean=mean.tolist(), target_std=std.tolist())
    scaled = objective(target_mean=(1e3 * mean).tolist(), target_std=(1e3 * std).tolist())
    milli = Batch(**{**vars(batch), "targets": {"velocity": 1e3 * VELOCITY}})
    torch.testing.assert_close(made.loss(batch)["loss"], scaled.loss(milli)["loss"])
    torch.testing.assert_close(1e3 * made.predict(batch)["velocity"], scaled.predict(milli)["velocity"])


def test_a_head_of_zeros_predicts_the_training_mean(batch: Batch) -> None:
    made = objective(target_mean=[0.15, 250.0], target_std=[0.1, 100.0])
    for parameter in made.head.parameters():
        parameter.data.zero_()
    torch.testing.assert_close(made.predict(batch)["velocity"], torch.tensor([[0.15, 250.0]]).expand(4, 2))


def test_a_dimension_that_never_changed_in_training_leaves_the_loss_finite(batch: Batch) -> None:
    assert objective(target_mean=[0.0, 0.0], target_std=[0.0, 1.0]).loss(batch)["loss"].isfinite()


def test_one_value_per_window_may_come_without_an_axis(as_batch: AsBatch) -> None:
    made = Regression(GRU(2), 1)
    assert made.loss(as_batch(torch.zeros(4, 2, 9), age=torch.arange(4.0)))["loss"].ndim == 0


def test_statistics_travel_with_the_weights() -> None:
    made, other = objective(target_mean=[1.0, 2.0], target_std=[3.0, 4.0]), objective()
    other.load_state_dict(made.state_dict())
    assert other.target_mean.tolist() == [1.0, 2.0]


def test_numbers_that_do_not_fit_name_the_repair(as_batch: AsBatch) -> None:
    with pytest.raises(ValueError, match="one for each"):
        objective(target_mean=[1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="set n_outputs to 3"):
        objective().loss(as_batch(torch.zeros(4, 2, 9), velocity=torch.zeros(4, 3)))
