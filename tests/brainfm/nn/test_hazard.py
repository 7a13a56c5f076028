"""Rates from one-step distributions: closed forms, nothing of the bin itself or of what follows, and a planted process."""

import math

import torch

from brainfm.encoders.neuroformer import Neuroformer
from brainfm.nn.hazard import expected_counts, shuffled
from brainfm.nn.spike_tokens import SpikeTokenizer
from brainfm.objectives.spike_prediction import SpikePrediction

WORDS = SpikeTokenizer(n_units=4, seconds=0.05, length=20)


def test_flat_logits_give_the_rates_of_their_hazards(spikes) -> None:
    tokens = WORDS.encode(spikes.random(0, 3, 4, 0.0, 0.05, most=10))
    flat = torch.zeros(3, 19, WORDS.n_ids), torch.zeros(3, 19, WORDS.n_steps)
    rates = expected_counts(*flat, tokens, WORDS)
    # five bins and END are equally likely: of what is left before bin b, one of 6 - b falls into it
    by_hand = 1 - torch.exp(-torch.tensor([math.log((6 - b) / (5 - b)) / 4 for b in range(5)]))
    assert torch.allclose(rates, by_hand.expand(3, 4, 5), atol=1e-6)


def test_a_bin_is_read_behind_the_last_spike_before_it(spikes) -> None:
    tokens = WORDS.encode(spikes.events([[(0, 0.005), (1, 0.021), (2, 0.025)]]))
    ids = torch.full((1, 19, WORDS.n_ids), -30.0)
    for place, unit in ((0, 3), (1, 0), (2, 1), (3, 2)):  # behind START, and behind each spike
        ids[0, place, unit] = 0.0
    rates = expected_counts(ids, torch.zeros(1, 19, WORDS.n_steps), tokens, WORDS)[0]
    assert rates.argmax(0).tolist() == [3, 0, 0, 2, 2]


def test_a_poisson_process_has_its_rates(spikes) -> None:
    """The distribution of the first spike of constant rates per bin is known: rates come back to the last digit."""
    total, share = torch.tensor([0.3, 2.0, 0.1, 1.0, 4.0]), torch.tensor([0.1, 0.2, 0.3, 0.4])
    before = total.cumsum(0) - total
    chance = torch.exp(-before) * (1 - torch.exp(-total))
    steps = torch.full((1, 19, WORDS.n_steps), -40.0)
    steps[0, 0, :5], steps[0, 0, WORDS.step_end] = chance.log(), -total.sum()
    ids = torch.full((1, 19, WORDS.n_ids), -40.0)
    ids[0, 0, :4] = share.log() + 3.0
    rates = expected_counts(ids, steps, WORDS.encode(spikes.events([[]])), WORDS)
    assert torch.allclose(rates[0], 1 - torch.exp(-share[:, None] * total), rtol=1e-4)


def test_the_bin_and_what_follows_change_nothing(spikes) -> None:
    torch.manual_seed(0)
    small = {"dim": 16, "n_heads": 2, "state_layers": 1, "history_layers": 1, "block": 30, "past_block": 40}
    model = SpikePrediction(Neuroformer([9], **small), [9]).eval()
    with torch.no_grad():
        model.units.weight *= 30
    past, current = spikes.random(0, 4, 9, -0.15, 0.0), spikes.random(1, 4, 9, 0.0, 0.05)
    other = spikes.random(2, 4, 9, 0.0, 0.05)
    rates = model.predict(spikes.batch(past, current))["spikes"].unflatten(1, (9, 5))
    for b in range(5):
        # of one the spikes before the bin, of the other all from it on
        rows = [
            [(u, t) for u, t in _spikes(current, r) if t < 0.01 * b]
            + [(u, t) for u, t in _spikes(other, r) if t >= 0.01 * b]
            for r in range(4)
        ]
        mixed = model.predict(spikes.batch(past, spikes.events(rows)))["spikes"].unflatten(1, (9, 5))
        assert torch.allclose(mixed[..., b], rates[..., b], rtol=1e-4, atol=1e-7)
        assert b == 4 or not torch.allclose(mixed[..., 4], rates[..., 4], rtol=1e-3)


def test_an_order_within_bins_is_drawn_and_nothing_else_changes(spikes) -> None:
    tokens = WORDS.encode(spikes.random(0, 6, 4, 0.0, 0.05, most=16))
    seed = torch.arange(6)
    one, same, other = (shuffled(tokens, WORDS, s) for s in (seed, seed, seed + 100))
    assert torch.equal(one.id, same.id)
    assert not torch.equal(one.id, other.id)
    for made in (one, other):
        assert torch.equal(made.step, tokens.step)
        assert torch.equal(WORDS.decode(made), WORDS.decode(tokens))
        assert torch.equal(made.id >= 4, tokens.id >= 4)


def _spikes(events, row: int) -> list[tuple[int, float]]:
    real = events.mask[row]
    return list(zip(events.channel[row][real].tolist(), events.time[row][real].tolist(), strict=True))
