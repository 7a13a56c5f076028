"""GRU reads each window up to its last real sample."""

from collections.abc import Callable

import torch

from brainfm.encoders.gru import GRU
from data_loaders.contracts import Batch

AsBatch = Callable[..., Batch]


def test_its_token_is_the_last_state_of_torchs_gru(as_batch: AsBatch) -> None:
    torch.manual_seed(0)
    encoder, signal = GRU(3).eval(), torch.randn(4, 3, 25)
    _, state = encoder.gru(signal.mT)
    torch.testing.assert_close(encoder(as_batch(signal)).embedding.squeeze(1), state[-1])


def test_padding_behind_a_window_leaves_its_token_unchanged(as_batch: AsBatch) -> None:
    torch.manual_seed(0)
    encoder, signal = GRU(3, n_layers=2).eval(), torch.randn(2, 3, 10)
    padded = torch.cat([signal, torch.full((2, 3, 6), 9.0)], -1)
    mask = (torch.arange(16) < 10).expand(2, 16)
    torch.testing.assert_close(encoder(as_batch(padded, mask)).embedding, encoder(as_batch(signal)).embedding)


def test_windows_of_one_batch_may_end_at_different_samples(as_batch: AsBatch) -> None:
    torch.manual_seed(0)
    encoder, signal = GRU(3).eval(), torch.randn(2, 3, 10)
    mask = torch.arange(10) < torch.tensor([[4], [10]])
    token = encoder(as_batch(signal, mask)).embedding
    torch.testing.assert_close(token[:1], encoder(as_batch(signal[:1, :, :4])).embedding)
    torch.testing.assert_close(token[1:], encoder(as_batch(signal[1:])).embedding)


def test_binned_counts_of_any_number_of_units_are_a_signal(as_batch: AsBatch) -> None:
    tokens = GRU(71, hidden=16)(as_batch(torch.poisson(torch.full((5, 71, 25), 0.4))))
    assert tokens.embedding.shape == (5, 1, 16)
