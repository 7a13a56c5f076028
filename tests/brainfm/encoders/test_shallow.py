"""ShallowConvNet: the two convolutions applied as one, and what follows."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F

from brainfm.encoders.shallow import ShallowConvNet
from data_loaders.contracts import Batch

AsBatch = Callable[..., Batch]


def test_it_computes_filter_space_square_mean_log_in_that_order(as_batch: AsBatch) -> None:
    torch.manual_seed(0)
    encoder = ShallowConvNet(3, 250).double().eval()
    signal = torch.randn(2, 3, 250, dtype=torch.float64)
    maps = F.conv2d(F.conv2d(signal.unsqueeze(1), encoder.conv_time.weight), encoder.conv_space.weight).squeeze(2)
    power = F.avg_pool1d(encoder.norm(maps) ** 2, 75, 15)
    torch.testing.assert_close(encoder(as_batch(signal)).embedding.squeeze(1), power.log().flatten(1))


def test_doubling_the_signal_adds_log_four_once_statistics_are_fixed(as_batch: AsBatch) -> None:
    torch.manual_seed(0)
    encoder, signal = ShallowConvNet(3, 250).eval(), 10 * torch.randn(2, 3, 250)
    once, twice = (encoder(as_batch(scale * signal)).embedding for scale in (1, 2))
    torch.testing.assert_close(twice - once, torch.full_like(once, 1.3862944), rtol=0, atol=1e-4)


def test_a_window_too_short_names_the_shortest(as_batch: AsBatch) -> None:
    with pytest.raises(ValueError, match="at least 99 samples"):
        ShallowConvNet(3, 98)
    assert ShallowConvNet(3, 99)(as_batch(torch.randn(2, 3, 99))).embedding.shape == (2, 1, 40)
