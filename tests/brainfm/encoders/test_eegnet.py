"""EEGNet has the sizes of its authors' code."""

from collections.abc import Callable

import pytest
import torch

from brainfm.encoders.eegnet import EEGNet
from data_loaders.contracts import Batch

AsBatch = Callable[..., Batch]


@pytest.mark.parametrize(("n_chans", "n_times"), [(64, 128), (22, 1125), (3, 33)])
def test_its_parameters_are_counted_by_hand(n_chans: int, n_times: int) -> None:
    temporal, spatial, separable, norms = 8 * 64, 16 * n_chans, 16 * 16 + 16 * 16, 2 * (8 + 16 + 16)
    encoder = EEGNet(n_chans, n_times)
    assert sum(p.numel() for p in encoder.parameters()) == temporal + spatial + separable + norms
    assert encoder.dim == 16 * (n_times // 4 // 8)


def test_it_makes_one_token_and_trains_every_weight(as_batch: AsBatch) -> None:
    encoder = EEGNet(5, 200)
    tokens = encoder(as_batch(torch.randn(6, 5, 200, generator=torch.Generator().manual_seed(0))))
    assert tokens.embedding.shape == (6, 1, encoder.dim)
    tokens.embedding.square().sum().backward()
    assert all(p.grad is not None for p in encoder.parameters())


def test_its_spatial_filters_have_norm_one_at_most() -> None:
    encoder = EEGNet(5, 200)
    encoder.conv_2.parametrizations.weight.original.data.mul_(100)
    assert encoder.conv_2.weight.flatten(1).norm(dim=1).max() <= 1 + 1e-6


def test_a_window_too_short_names_the_shortest() -> None:
    with pytest.raises(ValueError, match="at least 32 samples"):
        EEGNet(5, 31)
