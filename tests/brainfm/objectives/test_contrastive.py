"""Contrastive objectives: the terms they add, what they refuse, and encoders that they take."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from brainfm.encoders.base import Encoder, one_token
from brainfm.encoders.gru import GRU
from brainfm.encoders.offset import Offset
from brainfm.nn.contrastive import info_nce
from brainfm.nn.jacobian import attribution
from brainfm.objectives.hybrid_infonce import HybridInfoNCE
from brainfm.objectives.infonce import InfoNCE
from brainfm.objectives.jacobian_infonce import JacobianInfoNCE
from data_loaders.contracts import Batch, Tokens

AsBatch = Callable[..., Batch]


class Linear(Encoder):
    """Weighs the channels of the first sample."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.weight, self.dim = nn.Parameter(weight), len(weight)

    def forward(self, batch: Batch) -> Tokens:
        assert batch.signal is not None
        return one_token(batch.signal[..., 0] @ self.weight.mT)


def views(as_batch: AsBatch, n_views: int, signal: Tensor) -> Batch:
    return replace(as_batch(signal), n_views=n_views)


def test_the_loss_is_infonce_of_the_three_views(as_batch: AsBatch) -> None:
    torch.manual_seed(0)
    objective, batch = InfoNCE(Offset(4, 10, dim=3), temperature=0.5), views(as_batch, 3, torch.randn(24, 4, 10))
    losses = objective.loss(batch)
    whole = objective.encoder(batch).pooled()
    expected = info_nce(whole[:8], whole[8:16], whole[16:], inverse_temperature=2.0)
    torch.testing.assert_close(losses["loss"], expected.total)
    torch.testing.assert_close(losses["align"] + losses["uniform"], losses["loss"])
    torch.testing.assert_close(losses["bits"], (torch.tensor(8.0).log() - expected.total.detach()) / 0.6931471805599453)


@pytest.mark.parametrize("similarity", ["cosine", "euclidean"])
def test_any_encoder_of_the_platform_may_take_the_place(similarity: str, as_batch: AsBatch) -> None:
    objective = InfoNCE(GRU(4, hidden=16, dropout=0.0), similarity, dim=3)
    batch = views(as_batch, 3, torch.randn(24, 4, 10))
    objective.loss(batch)["loss"].backward()
    embedding = objective.predict(batch)["embedding"]
    assert embedding.shape == (24, 3)
    lengths = embedding.norm(dim=1)
    assert torch.allclose(lengths, torch.ones(24)) == (similarity == "cosine")


def test_another_number_of_views_is_refused_with_a_sampler_that_fits(as_batch: AsBatch) -> None:
    batch = views(as_batch, 1, torch.randn(6, 4, 10))
    with pytest.raises(ValueError, match=r"compares 3 views and batches have 1.*TimeDelta"):
        InfoNCE(Offset(4, 10)).loss(batch)
    with pytest.raises(ValueError, match=r"compares 4 views.*Hybrid"):
        HybridInfoNCE(Offset(4, 10)).loss(batch)


def test_hybrid_adds_behaviour_on_a_part_and_time_on_all(as_batch: AsBatch) -> None:
    torch.manual_seed(0)
    objective, batch = HybridInfoNCE(Offset(4, 10, dim=5), 2), views(as_batch, 4, torch.randn(32, 4, 10))
    reference, behaviour, negative, time = objective.encoder(batch).pooled().chunk(4)
    expected = info_nce(reference[:, :2], behaviour[:, :2], negative[:, :2]).total
    expected = expected + info_nce(reference, time, negative).total
    torch.testing.assert_close(objective.loss(batch)["loss"], expected)
    with pytest.raises(ValueError, match="expected 1 to 5"):
        HybridInfoNCE(Offset(4, 10, dim=5), 6)


def test_the_penalty_is_half_the_squared_size_of_a_linear_map(as_batch: AsBatch) -> None:
    weight = torch.tensor([[1.0, -2.0, 0.5], [0.0, 3.0, 1.0]])
    objective = JacobianInfoNCE(Linear(weight), weight=0.2, ramp=1, similarity="euclidean")
    objective.steps += 1
    batch = views(as_batch, 3, torch.randn(12, 3, 2))
    losses = objective.loss(batch)
    plain = InfoNCE(objective.encoder, "euclidean").loss(batch)["loss"]
    penalty = 0.5 * weight.square().sum()
    torch.testing.assert_close(losses["jacobian"], penalty)
    torch.testing.assert_close(losses["loss"], plain + 0.2 * penalty)
    losses["loss"].backward()
    assert objective.encoder.weight.grad is not None


def test_the_weight_of_the_penalty_grows_with_the_steps_of_training(as_batch: AsBatch) -> None:
    objective, batch = JacobianInfoNCE(Offset(3, 10), 0.4, start=1, ramp=2), views(as_batch, 3, torch.randn(6, 3, 10))
    weights = []
    for _ in range(5):
        weights.append(objective.scheduled().item())
        objective.loss(batch)
    assert weights == pytest.approx([0.0, 0.0, 0.2, 0.4, 0.4])
    objective.eval()
    objective.loss(batch)
    assert objective.steps == 5
    assert "steps" in objective.state_dict()


def test_maps_of_a_linear_encoder_are_its_weights_and_their_inverse() -> None:
    weight = torch.tensor([[1.0, -2.0, 0.5], [0.0, 3.0, 1.0]])
    found = attribution(lambda x: x[..., 0] @ weight.mT, torch.randn(5, 3, 4))
    torch.testing.assert_close(found.forward, weight.abs())
    torch.testing.assert_close(found.inverse, torch.linalg.pinv(weight).mT.abs())
