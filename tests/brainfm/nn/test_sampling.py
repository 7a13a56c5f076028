"""Drawing tokens: what is cut has no chance, the rest keeps its proportions."""

import pytest
import torch

from brainfm.nn.sampling import Sampling

LOGITS = torch.tensor([[0.5, 0.3, 0.15, 0.05]]).log()


def test_without_settings_the_logits_decide() -> None:
    assert Sampling().probabilities(LOGITS)[0].tolist() == pytest.approx([0.5, 0.3, 0.15, 0.05])


def test_top_k_keeps_the_likeliest() -> None:
    assert Sampling(top_k=2).probabilities(LOGITS)[0].tolist() == pytest.approx([0.625, 0.375, 0, 0])


def test_the_nucleus_is_the_smallest_set_that_reaches_top_p() -> None:
    assert Sampling(top_p=0.8).probabilities(LOGITS)[0].tolist() == pytest.approx([0.625, 0.375, 0, 0], abs=1e-6)
    assert Sampling(top_p=0.81).probabilities(LOGITS)[0, 2] > 0
    assert Sampling(top_p=0.01).probabilities(LOGITS)[0].tolist() == [1, 0, 0, 0]


def test_temperature_sharpens_before_anything_is_cut() -> None:
    sharp = Sampling(temperature=0.5, top_p=0.8).probabilities(LOGITS)[0]
    squares = torch.tensor([0.25, 0.09])
    assert sharp[:2].tolist() == pytest.approx((squares / squares.sum()).tolist(), abs=1e-6)


def test_frequencies_of_draws_are_the_probabilities() -> None:
    drawn = Sampling().draw(LOGITS.expand(40_000, -1), torch.Generator().manual_seed(0))
    assert (torch.bincount(drawn, minlength=4) / 40_000).tolist() == pytest.approx([0.5, 0.3, 0.15, 0.05], abs=0.01)


def test_greedy_takes_the_likeliest() -> None:
    assert Sampling(greedy=True).draw(LOGITS).tolist() == [0]


@pytest.mark.parametrize("wrong", [{"temperature": 0.0}, {"top_p": 1.2}, {"top_k": 0}])
def test_impossible_settings_are_refused(wrong) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Sampling(**wrong)
