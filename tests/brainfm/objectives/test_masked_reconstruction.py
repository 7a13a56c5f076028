"""Masked reconstruction: hidden content never leaks, and the loss depends neither on ranks nor on padding."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from brainfm.encoders.gru import GRU
from brainfm.encoders.patch_transformer import PatchTransformer
from brainfm.objectives.masked_reconstruction import MaskedReconstruction, drawn_channels
from data_loaders.contracts import Batch

AsBatch = Callable[..., Batch]


@pytest.fixture
def batch(as_batch: AsBatch) -> Batch:
    rng = torch.Generator().manual_seed(0)
    made = as_batch(torch.randn(4, 5, 96, generator=rng).cumsum(-1))
    places = 0.1 * torch.randn(4, 5, 3, generator=rng)
    return replace(made, ch_positions=places, seed=torch.randint(0, 2**62, (4,), generator=rng))


def objective(**options: object) -> MaskedReconstruction:
    torch.manual_seed(0)
    return MaskedReconstruction(PatchTransformer(0.125, 64.0, dim=32, depth=2), **options).eval()  # type: ignore[arg-type]


def rows(batch: Batch, some: slice) -> Batch:
    tensors = {name: value[some] for name, value in vars(batch).items() if torch.is_tensor(value)}
    return replace(batch, **tensors)


def test_what_a_hidden_patch_holds_changes_nothing_that_is_guessed(batch: Batch) -> None:
    made = objective()
    found = made.predict(batch)
    hidden = found["hidden"].bool().repeat_interleave(16, -1)  # [batch, channel, time]
    changed = made.predict(replace(batch, signal=torch.where(hidden, 77.0, batch.signal)))
    # the spread of a channel changes, and only weighs its error
    one, other = (torch.nn.functional.normalize(made["reconstruction"].flatten(2), dim=-1) for made in (found, changed))
    torch.testing.assert_close(one, other)
    torch.testing.assert_close(changed["visible"], found["visible"])


def test_the_loss_is_the_mean_over_ranks(batch: Batch) -> None:
    made = objective()
    whole = made.loss(batch)["loss"]
    halves = [made.loss(rows(batch, part))["loss"] for part in (slice(0, 2), slice(2, 4))]
    torch.testing.assert_close(torch.stack(halves).mean(), whole)


def test_padding_leaves_the_loss_unchanged(batch: Batch) -> None:
    made = objective()
    padded = replace(
        batch,
        signal=torch.nn.functional.pad(batch.signal, (0, 40, 0, 3), value=9.0),
        ch_mask=torch.nn.functional.pad(batch.ch_mask, (0, 3)),
        ch_positions=torch.nn.functional.pad(batch.ch_positions, (0, 0, 0, 3)),
        time_mask=(torch.arange(136) < 96).expand(4, -1),
    )
    torch.testing.assert_close(made.loss(padded)["loss"], made.loss(batch)["loss"])


def test_the_unit_of_the_signal_does_not_matter_to_the_truth(batch: Batch) -> None:
    made = objective()
    micro = made.predict(replace(batch, signal=1e-6 * batch.signal + 3e-6))
    torch.testing.assert_close(micro["truth"], made.predict(batch)["truth"], atol=1e-3, rtol=1e-3)


def test_zero_is_the_visible_mean_and_one_the_channels_spread(batch: Batch) -> None:
    found = objective().predict(batch)
    visible, truth = found["visible"].bool(), found["truth"]
    for window in range(4):
        for channel in range(5):
            assert abs(float(truth[window, channel][visible[window, channel]].mean())) < 1e-4
            assert float(truth[window, channel].std(correction=0)) == pytest.approx(1, abs=1e-3)


def test_one_patch_of_each_channel_always_stays(batch: Batch) -> None:
    found = objective(mask_ratio=0.99).predict(batch)
    assert (found["visible"].sum(-1) >= 1).all()
    assert found["hidden"].mean() > 0.7


def test_channels_that_are_flat_where_visible_are_not_counted(batch: Batch) -> None:
    signal = batch.signal.clone()
    signal[:, 2] = 4.0
    found = objective().predict(replace(batch, signal=signal))
    assert found["hidden"][:, 2].sum() == 0
    assert found["truth"].isfinite().all()


def test_drawn_channels_are_real_in_order_and_the_windows_own(batch: Batch) -> None:
    mask = batch.ch_mask.clone()
    mask[:, 1] = False
    marked = replace(batch, ch_mask=mask, signal=torch.arange(5.0)[None, :, None].expand(4, 5, 96))
    drawn = drawn_channels(marked, 3)
    kept = drawn.signal[:, :, 0]
    assert drawn.ch_mask.all()
    assert (kept.diff(dim=1) > 0).all()
    assert not (kept == 1).any()
    assert len(torch.unique(kept, dim=0)) > 1
    torch.testing.assert_close(drawn_channels(rows(marked, slice(2, 4)), 3).signal, drawn.signal[2:])
    assert drawn_channels(batch, 5) is batch


def test_it_learns_a_wave_that_all_channels_share(as_batch: AsBatch) -> None:
    made = objective().train()
    optimizer = torch.optim.AdamW(made.parameters(), lr=3e-3)
    losses = []
    for step in range(60):
        phase = 2 * torch.pi * torch.rand(16, 1, 1, generator=torch.Generator().manual_seed(step))
        wave = torch.sin(2 * torch.pi * 3 * torch.arange(256) / 128 + phase).expand(16, 4, 256)
        loss = made.loss(replace(as_batch(wave), seed=torch.arange(16) + 16 * step))["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[0] > 0.9
    assert sum(losses[-10:]) / 10 < 0.3


@pytest.mark.parametrize(
    ("options", "said"), [({"mask_ratio": 1.0}, "between 0 and 1"), ({"max_channels": 0}, "at least 1")]
)
def test_impossible_options_are_refused(options: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        objective(**options)
    with pytest.raises((ValueError, TypeError), match=r"PatchEncoder|violates"):
        MaskedReconstruction(GRU(3))  # type: ignore[arg-type]
