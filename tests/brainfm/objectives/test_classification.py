"""Classification: loss, weights and probabilities, against torch and by hand."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F

from brainfm.encoders.gru import GRU
from brainfm.objectives.classification import Classification
from data_loaders.contracts import Batch

AsBatch = Callable[..., Batch]
TRUTH = torch.tensor([0, 1, 1, 2])


@pytest.fixture
def batch(as_batch: AsBatch) -> Batch:
    return as_batch(torch.randn(4, 2, 9, generator=torch.Generator().manual_seed(0)), side=TRUTH)


def objective(n_outputs: int = 3, **options: object) -> Classification:
    torch.manual_seed(0)
    return Classification(GRU(2, hidden=5, dropout=0.0), n_outputs, **options)  # type: ignore[arg-type]


def test_the_loss_is_cross_entropy_of_the_logits(batch: Batch) -> None:
    made = objective(label_smoothing=0.1)
    expected = F.cross_entropy(made.logits(batch), TRUTH, label_smoothing=0.1)
    torch.testing.assert_close(made.loss(batch)["loss"], expected)


def test_probabilities_sum_to_one_under_the_name_of_the_target(batch: Batch) -> None:
    for target in ("side", None):
        predicted = objective(target=target).predict(batch)
        assert list(predicted) == ["side"]
        torch.testing.assert_close(predicted["side"].sum(1), torch.ones(4))


def test_accuracy_is_the_share_of_windows_whose_likeliest_class_is_true(batch: Batch) -> None:
    made = objective()
    guessed = made.logits(batch).argmax(1)
    assert made.loss(batch)["accuracy"].item() == sum(int(a == b) for a, b in zip(guessed, TRUTH, strict=True)) / 4


def test_balanced_weights_give_each_class_the_same_share() -> None:
    weights = objective(class_weights="balanced", class_counts=[10, 30, 60]).class_weights
    torch.testing.assert_close(weights * torch.tensor([10.0, 30.0, 60.0]), torch.full((3,), 100 / 3))


def test_a_class_without_training_windows_keeps_the_weights_finite() -> None:
    assert objective(class_weights="balanced", class_counts=[0, 5, 5]).class_weights.isfinite().all()


def test_stated_weights_are_those_of_the_loss(batch: Batch) -> None:
    made = objective(class_weights=[1.0, 2.0, 3.0])
    expected = F.cross_entropy(made.logits(batch), TRUTH, torch.tensor([1.0, 2.0, 3.0]))
    torch.testing.assert_close(made.loss(batch)["loss"], expected)


def test_max_norm_limits_the_weights_of_each_class() -> None:
    made = objective(max_norm=0.25)
    made.head.parametrizations.weight.original.data.fill_(3.0)
    torch.testing.assert_close(made.head.weight.norm(dim=1), torch.full((3,), 0.25))


@pytest.mark.parametrize(
    ("options", "repair"),
    [
        ({"n_outputs": 1}, "take objective Regression"),
        ({"class_weights": "balanced"}, "class_counts"),
        ({"class_weights": [1.0, 2.0]}, "one for each"),
        ({"max_norm": -1.0}, "positive"),
    ],
)
def test_impossible_settings_name_the_repair(options: dict, repair: str) -> None:
    with pytest.raises(ValueError, match=repair):
        objective(**options)


def test_a_target_that_the_batch_lacks_is_named(batch: Batch) -> None:
    with pytest.raises(ValueError, match=r"'hand' and the batch has \['side'\]"):
        objective(target="hand").loss(batch)


def test_a_target_of_values_is_refused_with_the_way_out(as_batch: AsBatch) -> None:
    values = as_batch(torch.randn(4, 2, 9), side=torch.randn(4, 1))
    with pytest.raises(ValueError, match="take objective Regression"):
        objective().loss(values)
