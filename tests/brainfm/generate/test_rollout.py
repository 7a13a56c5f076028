"""Rollouts: their own past and no other, the same for the same seed, modalities dropped and held."""

from dataclasses import replace

import pytest
import torch

from brainfm.encoders.neuroformer import Neuroformer
from brainfm.generate.rollout import rollout
from brainfm.nn.projectors import Values
from brainfm.nn.sampling import Sampling
from brainfm.objectives.spike_prediction import SpikePrediction

GREEDY = Sampling(greedy=True)


@pytest.fixture(scope="module")
def objective() -> SpikePrediction:
    torch.manual_seed(1)
    small = {"dim": 16, "n_heads": 2, "state_layers": 1, "history_layers": 1, "block": 10, "past_block": 40}
    found = SpikePrediction(Neuroformer([9], **small, modalities={"speed": Values(1, dim=16, layers=1)}), [9]).eval()
    with torch.no_grad():
        for weight in found.parameters():
            weight += 0.3 * torch.randn_like(weight)
    return found


@pytest.fixture
def windows(spikes):
    def make(n: int, seed: int = 0):
        return [
            spikes.batch(
                spikes.random(seed + k, 3, 9, -0.15, 0.0), spikes.random(seed + k + 50, 3, 9, 0.0, 0.05),
                speed=spikes.stream(torch.full((3, 1, 2), float(k))),
            )
            for k in range(n)
        ]  # fmt: skip

    return make


def same(one, other) -> bool:
    return all(torch.equal(getattr(one, name), getattr(other, name)) for name in ("channel", "time", "mask"))


def test_recorded_spikes_after_the_first_past_are_never_read(objective, windows) -> None:
    one, other = windows(4), windows(4, seed=20)
    other = [one[0], *(replace(b, streams=a.streams) for a, b in zip(one[1:], other[1:], strict=True))]
    assert same(rollout(objective, one).events, rollout(objective, other).events)


def test_the_first_past_counts(objective, windows) -> None:
    one = windows(3)
    other = [replace(one[0], events=windows(1, seed=20)[0].events), *one[1:]]
    assert not same(rollout(objective, one).events, rollout(objective, other).events)


def test_what_was_written_is_the_next_window_s_past(objective, windows) -> None:
    """A window written alone, given the written one before it as its past, is the second of two."""
    batches = windows(2)
    both = rollout(objective, batches, GREEDY).events
    earlier = replace(both, mask=both.mask & (both.time < 0.05), time=both.time - 0.05)
    true = batches[0].events["past"]
    before = replace(true, time=true.time - 0.05, mask=true.mask & (true.time - 0.05 >= -0.15))
    past = type(true)(*(torch.cat([getattr(e, n) for e in (before, earlier)], 1) for n in ("channel", "time", "mask")))
    alone = rollout(objective, [replace(batches[1], events=batches[1].events | {"past": past})], GREEDY).events
    later = both.mask & (both.time >= 0.05)
    for row in range(3):
        assert torch.equal(both.channel[row][later[row]], alone.channel[row][alone.mask[row]])


def test_the_same_seed_writes_the_same_and_another_does_not(objective, windows) -> None:
    batches = windows(3)
    assert same(rollout(objective, batches, seed=3).events, rollout(objective, batches, seed=3).events)
    assert not same(rollout(objective, batches, seed=3).events, rollout(objective, batches, seed=4).events)


def test_modalities_are_dropped_or_held(objective, windows) -> None:
    batches = windows(4)
    whole = rollout(objective, batches, seed=1).events
    without = [replace(b, streams={}) for b in batches]
    assert same(rollout(objective, batches, seed=1, drop=["speed"]).events, rollout(objective, without, seed=1).events)
    held = [replace(b, streams=batches[0].streams) for b in batches]
    assert same(rollout(objective, batches, seed=1, hold=["speed"]).events, rollout(objective, held, seed=1).events)
    assert not same(whole, rollout(objective, batches, seed=1, drop=["speed"]).events)
    with pytest.raises(ValueError, match="'video' is no field"):
        rollout(objective, batches, drop=["video"])


def test_times_run_on_over_all_windows(objective, windows) -> None:
    found = rollout(objective, windows(4), suppress_end=True)
    assert found.seconds == pytest.approx(0.2)
    time = found.events.time[found.events.mask]
    assert time.min() > 0
    assert time.max() < 0.2
    assert (torch.bincount((time / 0.05).long()) > 0).all()


def test_rows_must_stay_the_same(objective, windows, spikes) -> None:
    batches = windows(2)
    short = spikes.batch(spikes.random(0, 2, 9, -0.15, 0), spikes.random(1, 2, 9, 0, 0.05))
    with pytest.raises(ValueError, match="window 1 has 2 rows and the first 3"):
        rollout(objective, [batches[0], short])
