"""The linear encoder: means of parts of the window, of what is real."""

from dataclasses import replace

import pytest
import torch

from brainfm.encoders.linear import Linear
from data_loaders.contracts import Batch


def batch(signal: torch.Tensor) -> Batch:
    n, n_chans, n_times = signal.shape
    ids = torch.arange(n)
    return Batch(
        signal, torch.full((n,), 0.5), torch.zeros(n, n_chans, 3), torch.ones(n, n_chans, dtype=torch.bool),
        torch.ones(n, n_times, dtype=torch.bool), ids, ids, ids, ids,
    )  # fmt: skip


def test_each_feature_is_the_mean_of_a_channel_over_a_part_of_the_window():
    tokens = Linear(2, 4, n_steps=2).eval()(batch(torch.arange(8.0).reshape(1, 2, 4)))
    torch.testing.assert_close(tokens.embedding, torch.tensor([[[0.5, 2.5, 4.5, 6.5]]]))


def test_padded_samples_do_not_count():
    signal = torch.randn(3, 2, 6, generator=torch.Generator().manual_seed(0))
    padded = batch(torch.cat([signal, torch.full((3, 2, 2), 9.0)], 2))
    mask = torch.arange(8).expand(3, 8) < 6
    encoder = Linear(2, 8).eval()
    torch.testing.assert_close(encoder(replace(padded, time_mask=mask)).embedding, encoder(batch(signal)).embedding)


def test_it_is_linear_in_the_signal():
    encoder, (a, b) = (
        Linear(2, 5, n_steps=3).eval(),
        torch.randn(2, 4, 2, 5, generator=torch.Generator().manual_seed(0)),
    )
    together = encoder(batch(2 * a + 3 * b)).embedding
    torch.testing.assert_close(together, 2 * encoder(batch(a)).embedding + 3 * encoder(batch(b)).embedding)


def test_more_steps_than_samples_are_refused():
    with pytest.raises(ValueError, match="take 1 to 4"):
        Linear(2, 4, n_steps=5)
