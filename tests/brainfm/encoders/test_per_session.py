"""Encoders of several sessions: rows go where they belong, padding is never seen."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from brainfm.encoders.offset import Offset
from brainfm.encoders.per_session import PerSession
from brainfm.encoders.unified import Unified
from data_loaders.contracts import Batch

AsBatch = Callable[..., Batch]
CHANS = [5, 3]


def mixed(as_batch: AsBatch, session: list[int], seed: int = 0) -> Batch:
    signal = torch.randn(len(session), 5, 10, generator=torch.Generator().manual_seed(seed))
    sessions = torch.tensor(session)
    signal[sessions == 1, 3:] = 0.0
    return replace(as_batch(signal), session_id=sessions)


def test_each_row_goes_to_the_encoder_of_its_session_without_the_padding(as_batch: AsBatch) -> None:
    torch.manual_seed(0)
    encoder, batch = PerSession(CHANS, 10), mixed(as_batch, [1, 0, 0, 1])
    found = encoder(batch).embedding
    assert batch.signal is not None
    for row, session in enumerate([1, 0, 0, 1]):
        alone = encoder.of(session)(as_batch(batch.signal[row : row + 1, : CHANS[session]])).embedding
        torch.testing.assert_close(found[row : row + 1], alone)


def test_the_order_of_rows_does_not_matter(as_batch: AsBatch) -> None:
    encoder, batch = PerSession(CHANS, 10), mixed(as_batch, [1, 0, 0, 1, 0])
    order = torch.tensor([3, 0, 4, 1, 2])
    assert batch.signal is not None
    turned = replace(batch, signal=batch.signal[order], session_id=batch.session_id[order])
    torch.testing.assert_close(encoder(turned).embedding, encoder(batch).embedding[order])


def test_sessions_share_nothing_unless_asked_and_then_all_but_the_first_layer() -> None:
    of_one = [sum(p.numel() for p in Offset(n, 10).parameters()) for n in CHANS]
    apart, shared = PerSession(CHANS, 10), PerSession(CHANS, 10, share=True)
    assert sum(p.numel() for p in apart.parameters()) == sum(of_one)
    read_in = 2 * 32 * CHANS[1] + 32
    assert sum(p.numel() for p in shared.parameters()) == of_one[0] + read_in


def test_any_encoder_and_its_options(as_batch: AsBatch) -> None:
    encoder = PerSession(CHANS, 10, "brainfm.encoders.gru.GRU", {"hidden": 7})
    assert encoder(mixed(as_batch, [0, 1])).embedding.shape == (2, 1, 7)


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (([],), "session_chans is empty"),
        ((CHANS, 10, "brainfm.encoders.gru.GUR"), "expected a dotted path"),
        ((CHANS, 10, "torch.nn.Linear"), "no encoder"),
        (
            (CHANS, 10, "brainfm.encoders.gru.GRU", {"width": 3}),
            "'width', which brainfm.encoders.gru.GRU does not take",
        ),
    ],
)
def test_what_cannot_be_built_is_refused(args: tuple, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        PerSession(*(args if len(args) > 1 else (*args, 10)))


def test_a_session_that_was_not_there_is_refused(as_batch: AsBatch) -> None:
    with pytest.raises(ValueError, match="session 2 and the encoder was built for 2"):
        PerSession(CHANS, 10)(mixed(as_batch, [0, 2]))


def test_a_group_of_sessions_is_encoded_as_one_recording(as_batch: AsBatch) -> None:
    torch.manual_seed(0)
    unified, batch = Unified(CHANS, 10).eval(), mixed(as_batch, [0, 1, 0, 1])
    assert batch.signal is not None
    joined = torch.cat([batch.signal[0::2], batch.signal[1::2, :3]], 1)
    expected = unified.encoder(as_batch(joined)).embedding.repeat_interleave(2, 0)
    torch.testing.assert_close(unified(batch).embedding, expected)


def test_a_window_that_comes_alone_leaves_the_other_sessions_at_zero(as_batch: AsBatch) -> None:
    torch.manual_seed(0)
    unified, batch = Unified(CHANS, 10).eval(), mixed(as_batch, [1, 1, 0])
    assert batch.signal is not None
    joined = torch.zeros(3, 8, 10)
    joined[:2, 5:], joined[2, :5] = batch.signal[:2, :3], batch.signal[2]
    torch.testing.assert_close(unified(batch).embedding, unified.encoder(as_batch(joined)).embedding)


def test_what_is_hidden_in_training_follows_the_seeds_of_the_batch_and_never_is_all(as_batch: AsBatch) -> None:
    torch.manual_seed(0)
    unified, batch = Unified(CHANS, 10, session_dropout=1.0), mixed(as_batch, [0, 1] * 20)
    torch.testing.assert_close(unified(batch).embedding, unified(batch).embedding)
    other = replace(batch, seed=batch.seed + 1)
    assert not torch.equal(unified(batch).embedding, unified(other).embedding)
    assert batch.signal is not None
    both = Unified(CHANS, 10, session_dropout=1.0)._hidden(torch.ones(50, 2, 5, 10), torch.arange(50))
    assert (both.amax((2, 3)).sum(1) == 1).all()
