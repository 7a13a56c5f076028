"""Padding and pooling along time, against numbers worked out by hand."""

import pytest
import torch

from brainfm.nn.temporal import OverTime, PoolMode, TimeConv, TimePool


def ones(n_times: int) -> torch.Tensor:
    return torch.ones(1, 1, 1, n_times)


@pytest.mark.parametrize(
    ("mode", "n_times", "expected"),
    [
        ("pad_zero", 12, [0.75, 1.0, 1.0]),
        ("pad_zero", 10, [0.75, 1.0, 0.75]),
        ("same", 12, [1.0, 1.0, 1.0]),
        ("same", 10, [1.0, 1.0, 1.0]),
        ("valid", 12, [1.0, 1.0, 1.0]),
        ("valid", 10, [1.0, 1.0]),
    ],
)
def test_pools_of_ones_are_as_braindecode_and_keras_compute_them(
    mode: PoolMode, n_times: int, expected: list[float]
) -> None:
    pool = TimePool(4, mode)
    assert pool(ones(n_times)).flatten().tolist() == expected
    assert pool.length(n_times) == len(expected)


def test_same_pooling_averages_the_real_samples_of_an_edge_window() -> None:
    ramp = torch.arange(6.0).reshape(1, 1, 1, 6)
    assert TimePool(4, "same")(ramp).flatten().tolist() == [1.0, 4.0]


def test_pad_zero_pooling_equals_torch_with_padding_counted() -> None:
    maps = torch.randn(2, 3, 1, 31, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(TimePool(8, "pad_zero")(maps), torch.nn.AvgPool2d((1, 8), padding=(0, 1))(maps))


@pytest.mark.parametrize("dilation", [1, 2, 4])
def test_an_even_kernel_has_one_more_zero_behind_than_before(dilation: int) -> None:
    conv = TimeConv(1, 1, 4, dilation=dilation)
    torch.nn.init.ones_(conv.weight)
    zeros = 3 * dilation
    response = conv(torch.nn.functional.pad(ones(1), (20, 20))).flatten().nonzero().flatten() - 20
    assert response.tolist() == [-(zeros - zeros // 2) + dilation * tap for tap in range(4)]


def test_normalising_over_time_leaves_each_sample_with_mean_zero() -> None:
    maps = torch.randn(4, 3, 2, 7, generator=torch.Generator().manual_seed(0)) + torch.arange(7.0)
    torch.testing.assert_close(OverTime(7)(maps).mean((0, 1, 2)), torch.zeros(7), rtol=0, atol=1e-6)
