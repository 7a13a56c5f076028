"""Patches are the same stretch of time at any rate, and never reach into what is not real."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from brainfm.nn.patching import patches_of


def everything(signal: torch.Tensor) -> torch.Tensor:
    return torch.ones(len(signal), signal.shape[-1], dtype=torch.bool)


def test_at_its_own_rate_a_patch_is_the_signal_itself() -> None:
    signal = torch.randn(2, 3, 40)
    values, real = patches_of(signal, torch.full((2,), 100.0), everything(signal), 0.1, 10)
    torch.testing.assert_close(values.flatten(2), signal, atol=1e-5, rtol=1e-5)
    assert real.all()


@given(st.sampled_from([64.0, 100.0, 250.0, 600.615]), st.floats(-5, 5))
def test_a_constant_stays_itself_at_any_rate(rate: float, height: float) -> None:
    signal = torch.full((1, 1, 700), height)
    values, real = patches_of(signal, torch.tensor([rate]), everything(signal), 0.2, 20)
    torch.testing.assert_close(
        values[real[:, None]], torch.full_like(values[real[:, None]], height), atol=1e-4, rtol=1e-4
    )


def test_a_slow_wave_gives_the_same_patches_at_two_rates() -> None:
    rates = (250.0, 500.0)
    # sampled at the middle of each period, as the cosine series sees it
    waves = [torch.sin(2 * math.pi * 3 * (torch.arange(round(2 * r)) + 0.5) / r)[None, None] for r in rates]
    one, other = (
        patches_of(w, torch.tensor([r]), everything(w), 0.2, 20)[0] for w, r in zip(waves, rates, strict=True)
    )
    torch.testing.assert_close(one, other, atol=0.02, rtol=0)


def test_rows_of_several_rates_share_a_batch() -> None:
    signal, rates = torch.randn(2, 3, 100), torch.tensor([50.0, 100.0])
    values, real = patches_of(signal, rates, everything(signal), 0.2, 20)
    alone = [patches_of(signal[i : i + 1], rates[i : i + 1], everything(signal[:1]), 0.2, 20)[0] for i in (0, 1)]
    assert real.sum(1).tolist() == [10, 5]
    torch.testing.assert_close(values[:1], alone[0])
    torch.testing.assert_close(values[1:, :, :5], alone[1])


def test_a_patch_with_one_sample_of_padding_is_not_real() -> None:
    signal = torch.ones(1, 1, 30)
    mask = torch.arange(30)[None] < 19
    values, real = patches_of(signal, torch.tensor([100.0]), mask, 0.1, 10)
    assert real.tolist() == [[True, False, False]]
    assert values[0, 0, 1:].abs().max() == 0


def test_patches_follow_the_clock_where_the_rate_is_no_whole_number() -> None:
    rate, seconds = 600.614990234375, 0.2
    signal = torch.arange(24_000.0)[None, None] / rate
    values, _ = patches_of(signal, torch.tensor([rate]), everything(signal), seconds, 20)
    begins = values[0, 0].mean(-1)
    torch.testing.assert_close(begins, (torch.arange(len(begins)) + 0.5) * seconds, atol=2e-3, rtol=0)


@pytest.mark.parametrize(("seconds", "said"), [(2.0, "shorten the patch"), (0.001, "no sample at 100 Hz")])
def test_a_patch_that_cannot_be_says_what_to_change(seconds: float, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        patches_of(torch.ones(1, 1, 50), torch.tensor([100.0]), torch.ones(1, 50, dtype=torch.bool), seconds, 5)
