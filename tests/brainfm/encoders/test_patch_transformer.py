"""PatchTransformer: nothing depends on order, number or padding of channels, nor on the padding of time."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from brainfm.encoders.patch_transformer import PatchTransformer
from data_loaders.contracts import Batch

AsBatch = Callable[..., Batch]


@pytest.fixture
def encoder() -> PatchTransformer:
    torch.manual_seed(0)
    return PatchTransformer(patch=0.125, rate=64.0, dim=32, depth=2, n_heads=4).eval()


@pytest.fixture
def batch(as_batch: AsBatch) -> Batch:
    """Two windows of 5 channels and 6 patches at 128 Hz, with places on a sphere; one channel has none."""
    rng = torch.Generator().manual_seed(1)
    places = 0.09 * torch.nn.functional.normalize(torch.randn(2, 5, 3, generator=rng), dim=-1)
    places[:, 3] = float("nan")
    return replace(as_batch(torch.randn(2, 5, 96, generator=rng)), ch_positions=places)


def grid(encoder: PatchTransformer, batch: Batch) -> torch.Tensor:
    """[batch, channel, patch, dim]"""
    return encoder(batch).embedding.unflatten(1, (batch.ch_mask.shape[1], -1))


def test_a_token_is_a_patch_with_its_channel_and_time(encoder: PatchTransformer, batch: Batch) -> None:
    tokens = encoder(batch)
    assert tokens.embedding.shape == (2, 30, 32)
    assert tokens.mask.all()
    assert tokens.channel is not None
    assert tokens.channel[0, :7].tolist() == [0, 0, 0, 0, 0, 0, 1]
    assert tokens.time is not None
    assert tokens.time[0, :2].tolist() == pytest.approx([0.0625, 0.1875])


def test_permuting_channels_permutes_tokens(encoder: PatchTransformer, batch: Batch) -> None:
    order = torch.tensor([3, 0, 4, 1, 2])
    moved = replace(batch, signal=batch.signal[:, order], ch_positions=batch.ch_positions[:, order])
    torch.testing.assert_close(grid(encoder, moved), grid(encoder, batch)[:, order], atol=1e-5, rtol=1e-4)


def test_padding_channels_leaves_real_tokens_unchanged(encoder: PatchTransformer, batch: Batch) -> None:
    padded = replace(
        batch,
        signal=torch.cat([batch.signal, torch.full((2, 3, 96), 50.0)], 1),
        ch_positions=torch.cat([batch.ch_positions, torch.zeros(2, 3, 3)], 1),
        ch_mask=torch.cat([batch.ch_mask, torch.zeros(2, 3, dtype=torch.bool)], 1),
    )
    torch.testing.assert_close(grid(encoder, padded)[:, :5], grid(encoder, batch), atol=1e-5, rtol=1e-4)
    assert not encoder(padded).mask.unflatten(1, (8, 6))[:, 5:].any()
    torch.testing.assert_close(encoder(padded).pooled(), encoder(batch).pooled(), atol=1e-5, rtol=1e-4)


def test_padding_time_leaves_real_tokens_unchanged(encoder: PatchTransformer, batch: Batch) -> None:
    longer = torch.cat([batch.signal, torch.full((2, 5, 40), 50.0)], -1)
    padded = replace(batch, signal=longer, time_mask=(torch.arange(136) < 96).expand(2, -1))
    torch.testing.assert_close(grid(encoder, padded)[:, :, :6], grid(encoder, batch), atol=1e-5, rtol=1e-4)


def test_who_else_is_in_the_batch_does_not_matter(encoder: PatchTransformer, batch: Batch) -> None:
    mixed = replace(batch, sfreq=torch.tensor([128.0, 64.0]))
    alone = replace(
        batch, **{name: getattr(batch, name)[:1] for name in vars(batch) if torch.is_tensor(getattr(batch, name))}
    )
    torch.testing.assert_close(grid(encoder, mixed)[:1, :, :6], grid(encoder, alone), atol=1e-5, rtol=1e-4)


def test_a_slow_signal_has_the_same_tokens_at_twice_the_rate(encoder: PatchTransformer, as_batch: AsBatch) -> None:
    def wave(rate: float) -> Batch:
        signal = torch.sin(2 * torch.pi * 2 * (torch.arange(round(rate)) + 0.5) / rate).expand(1, 3, -1)
        return replace(as_batch(signal), sfreq=torch.tensor([rate]))

    torch.testing.assert_close(grid(encoder, wave(128.0)), grid(encoder, wave(256.0)), atol=0.02, rtol=0.02)


def test_where_a_sensor_is_changes_its_tokens(encoder: PatchTransformer, batch: Batch) -> None:
    moved = replace(batch, ch_positions=batch.ch_positions + 0.02)
    assert (grid(encoder, moved)[:, 0] - grid(encoder, batch)[:, 0]).abs().max() > 1e-3


def test_a_patch_of_no_sample_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        PatchTransformer(patch=0.001, rate=64.0)
