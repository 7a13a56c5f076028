"""Offset encoders agree with the numbers published for them, and see their samples and no others."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from brainfm.encoders.base import Encoder
from brainfm.encoders.halved_offset import HalvedOffset
from brainfm.encoders.offset import Offset
from brainfm.encoders.offset1 import Offset1
from brainfm.encoders.subsampled_offset import SubsampledOffset
from data_loaders.contracts import Batch

AsBatch = Callable[..., Batch]


@pytest.mark.parametrize(
    ("encoder", "n_parameters"),
    [
        (lambda **k: Offset(n_times=10, **k), 12_835),
        (lambda **k: Offset(n_times=10, normalise=False, output="tanh", **k), 12_835),
        (lambda **k: Offset(n_times=5, **k), 6_531),
        (lambda **k: Offset1(**k), 3_267),
        (lambda **k: Offset1(variant="mse", **k), 15_603),
        (lambda **k: Offset1(variant="v2", **k), 3_843),
        (lambda **k: Offset1(variant="v3", **k), 3_843),
        (lambda **k: Offset1(variant="v4", **k), 5_955),
        (lambda **k: Offset1(variant="v5", **k), 5_955),
        (lambda **k: Offset1(variant="mse-v2", n_layers=7, compat="paper", **k), 3_267),
        (lambda **k: Offset1(variant="resnet", n_layers=7, compat="paper", **k), 3_267),
        (lambda **k: Offset(n_times=15, **k), 22_051),
        (lambda **k: Offset(n_times=20, **k), 28_355),
        (lambda **k: Offset(n_times=36, dropout=0.1, skip_dropout=0.1, **k), 53_187),
        (lambda **k: Offset(n_times=40, **k), 59_395),
        (lambda **k: Offset(n_times=50, **k), 74_915),
        (lambda **k: SubsampledOffset(n_times=40, **k), 23_939),
        (lambda **k: SubsampledOffset(n_times=20, **k), 17_635),
        (lambda **k: HalvedOffset(**k), 10_723),
    ],
)
def test_numbers_of_parameters_are_the_published_ones(encoder: Callable[..., Encoder], n_parameters: int) -> None:
    built = encoder(n_chans=50, hidden=32, dim=3)
    assert sum(parameter.numel() for parameter in built.parameters()) == n_parameters


def test_layers_of_the_deep_variants_have_weights_of_their_own() -> None:
    counts = [sum(p.numel() for p in Offset1(50, 3, variant="mse-v2", n_layers=n).parameters()) for n in (1, 2, 3)]
    assert [counts[1] - counts[0], counts[2] - counts[1]] == [32 * 33] * 2


@pytest.mark.parametrize(
    ("encoder", "n_times", "expected"),
    [
        (Offset(8, 10, 3, 16), 10, [[0.423242, -0.389101, -0.818210], [0.364106, -0.263404, -0.893334]]),
        (Offset(8, 10, 3, 16, False), 10, [[0.036583, -0.033632, -0.070722], [0.031866, -0.023053, -0.078183]]),
        (Offset1(8, 3, 16), 1, [[0.425462, 0.672657, 0.605405], [0.426881, 0.672794, 0.604253]]),
        (Offset(8, 5, 3, 16), 5, [[0.739395, -0.616351, -0.270938], [-0.179108, 0.356045, -0.917144]]),
        (Offset(8, 36, 3, 16), 36, [[-0.346541, -0.491337, -0.799060], [-0.370311, -0.605759, -0.704220]]),
    ],
)
def test_outputs_are_the_published_ones(encoder: Encoder, n_times: int, expected: Any, as_batch: AsBatch) -> None:
    with torch.no_grad():
        for i, parameter in enumerate(encoder.parameters()):
            k = torch.arange(parameter.numel(), dtype=torch.float64)
            parameter.copy_((0.1 * torch.sin(0.7 * k + i)).reshape(parameter.shape))
    signal = torch.cos(0.3 * torch.arange(2 * 8 * n_times, dtype=torch.float64)).reshape(2, 8, n_times).float()
    embedding = encoder(as_batch(signal)).embedding
    torch.testing.assert_close(embedding, torch.tensor(expected)[:, None], atol=2e-6, rtol=0)


def test_the_layers_have_the_published_names() -> None:
    names = {name.rpartition(".")[0] for name, _ in Offset(8, 10).named_parameters()}
    assert names == {"net.0", "net.2.module.0", "net.3.module.0", "net.4.module.0", "net.5"}


@pytest.mark.parametrize("n_times", [4, 5, 10, 15, 20, 36])
def test_a_token_depends_on_every_sample_of_its_window_and_no_other(n_times: int, as_batch: AsBatch) -> None:
    torch.manual_seed(0)
    encoder = Offset(3, n_times, 2)
    signal = torch.randn(1, 3, 3 * n_times, requires_grad=True)
    encoder(as_batch(signal)).embedding[0, n_times, 0].backward()
    assert signal.grad is not None
    seen = signal.grad.abs().sum((0, 1)) > 0
    assert seen.nonzero().ravel().tolist() == [*range(n_times, 2 * n_times)]


def test_a_long_series_gives_the_tokens_of_its_windows(as_batch: AsBatch) -> None:
    torch.manual_seed(0)
    encoder, series = Offset(3, 10, 4), torch.randn(1, 3, 60)
    windows = series[0].unfold(-1, 10, 1).transpose(0, 1)  # [window, channel, sample]
    whole, one_by_one = encoder(as_batch(series)).embedding[0], encoder(as_batch(windows)).embedding[:, 0]
    assert whole.shape == (51, 4)
    torch.testing.assert_close(whole, one_by_one)


def test_memory_that_is_time_major_gives_the_same(as_batch: AsBatch) -> None:
    encoder, signal = Offset(6, 10), torch.randn(4, 6, 10)
    time_major = signal.mT.contiguous().mT
    torch.testing.assert_close(encoder(as_batch(signal)).embedding, encoder(as_batch(time_major)).embedding)


def test_a_vector_of_zeros_has_no_direction_and_stays_finite(as_batch: AsBatch) -> None:
    encoder = Offset(3, 10)
    for parameter in encoder.parameters():
        nn.init.zeros_(parameter)
    assert encoder(as_batch(torch.ones(2, 3, 10))).embedding.eq(0).all()


def test_published_ends_bound_the_output(as_batch: AsBatch) -> None:
    signal = 1e4 * torch.randn(4, 3, 10)
    assert Offset(3, 10, normalise=False, output="tanh")(as_batch(signal)).embedding.abs().max() <= 1
    clipped = Offset1(3, variant="mse", output="clip:-5,1")(as_batch(signal)).embedding
    assert clipped.max() == 1
    assert clipped.min() == -5


def test_whole_channels_are_dropped_in_training_and_none_after(as_batch: AsBatch) -> None:
    encoder, batch = Offset(3, 36, dropout=0.5, skip_dropout=0.1), as_batch(torch.randn(2, 3, 36))
    assert not torch.equal(encoder(batch).embedding, encoder(batch).embedding)
    encoder.eval()
    assert torch.equal(encoder(batch).embedding, encoder(batch).embedding)


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: Offset(3, 3), "take Offset1"),
        (lambda: SubsampledOffset(3, 30), "expected 40 or 20"),
        (lambda: Offset(3, 10, output="clip:2,1"), "clip:LOW,HIGH"),
        (lambda: Offset1(3, variant="resnet", n_layers=0), "n_layers is 0"),
    ],
)
def test_what_cannot_be_built_is_refused_with_the_repair(make: Callable[[], Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        make()


def test_windows_shorter_than_the_receptive_field_are_refused(as_batch: AsBatch) -> None:
    with pytest.raises(ValueError, match="sees 10 samples and windows have 9"):
        Offset(3, 10)(as_batch(torch.randn(2, 3, 9)))
