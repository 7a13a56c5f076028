"""The Neuroformer's baselines: token by token as at once, nothing of what follows, and no word of the neighbours in a batch."""

from dataclasses import replace

import pytest
import torch

from brainfm.encoders.spike_gru import SpikeGRU
from brainfm.encoders.spike_mlp import SpikeMLP
from brainfm.generate.rollout import rollout
from brainfm.objectives.spike_prediction import SpikePrediction

SMALL = {"dim": 16, "block": 30, "past_block": 60}


@pytest.fixture(params=[SpikeGRU, SpikeMLP])
def model(request) -> SpikePrediction:
    torch.manual_seed(0)
    return SpikePrediction(request.param([9], **SMALL), [9]).eval()


@pytest.fixture
def batch(spikes):
    return spikes.batch(spikes.random(0, 4, 9, -0.15, 0.0), spikes.random(1, 4, 9, 0.0, 0.05))


def test_token_by_token_is_as_at_once(model, batch) -> None:
    encoder = model.encoder
    tokens, context, state = encoder.read(batch), encoder.context(batch), encoder.new_state(4)
    whole = encoder.decode(tokens.id, tokens.step, batch.session_id, context)
    parts = [
        encoder.decode(tokens.id[:, [i]], tokens.step[:, [i]], batch.session_id, context, state)
        for i in range(tokens.id.shape[1])
    ]
    assert torch.allclose(torch.cat(parts, 1), whole, atol=1e-5)


def test_what_follows_changes_nothing_and_what_was_before_does(model, batch, spikes) -> None:
    rates = model.predict(batch)["spikes"].unflatten(1, (9, 5))
    later = replace(batch.events["current"], time=batch.events["current"].time.clamp(max=0.0399))
    moved = replace(batch, events=batch.events | {"current": later})
    assert torch.allclose(model.predict(moved)["spikes"].unflatten(1, (9, 5))[..., :4], rates[..., :4], rtol=1e-4)
    other = spikes.batch(spikes.random(5, 4, 9, -0.15, 0.0), batch.events["current"])
    assert not torch.allclose(model.predict(other)["spikes"].unflatten(1, (9, 5))[..., 0], rates[..., 0], rtol=1e-3)


def test_neighbours_in_a_batch_change_nothing(model, batch) -> None:
    whole = model.encoder(batch).pooled()
    assert torch.allclose(model.encoder(batch.rows(slice(1, 2))).pooled(), whole[1:2], atol=1e-5)


def test_they_write_spikes(model, batch) -> None:
    written = rollout(model, [batch, batch], seed=1)
    assert written.events.mask.any()
    assert float(written.events.time.max()) < 0.1


def test_who_led_is_learned(spikes) -> None:
    """Unit 8 - u fires once where u fired just before."""
    generator = torch.Generator().manual_seed(0)
    unit = torch.randint(0, 9, (64,), generator=generator).tolist()
    batch = spikes.batch(spikes.events([[(u, -0.01)] for u in unit]), spikes.events([[(8 - u, 0.01)] for u in unit]))
    for kind in (SpikeGRU, SpikeMLP):
        torch.manual_seed(0)
        model = SpikePrediction(kind([9], dropout=0.0, n_layers=1, **SMALL), [9])
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
        for _ in range(120):
            optimizer.zero_grad()
            losses = model.loss(batch)
            losses["loss"].backward()
            optimizer.step()
        assert losses["id"] < 0.3
