"""Spikes to tokens and back: exact, whatever the order, and refused where they do not fit."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from brainfm.nn.spike_tokens import SpikeTokenizer
from data_loaders.contracts import Events

N_UNITS = 7


def tokenizer(length: int = 101, seconds: float = 0.05) -> SpikeTokenizer:
    return SpikeTokenizer(N_UNITS, seconds, length)


def events_of(counts: torch.Tensor) -> Events:
    """Events [unit, bin] as often as counted, each in the middle of its bin."""
    unit, bin_ = (
        i.repeat_interleave(counts.flatten())
        for i in torch.meshgrid(*map(torch.arange, counts.shape), indexing="ij")
        for i in [i.flatten()]
    )
    time = (bin_ + 0.5) * 0.01
    return Events(unit[None], time[None].float(), torch.ones(1, len(unit), dtype=torch.bool))


@given(st.lists(st.integers(0, 2), min_size=N_UNITS * 5, max_size=N_UNITS * 5))
def test_any_counts_come_back(flat) -> None:
    counts = torch.tensor(flat).reshape(N_UNITS, 5)
    tokens = tokenizer().encode(events_of(counts))
    assert torch.equal(tokenizer().decode(tokens)[0], counts)
    assert tokens.dropped.tolist() == [0]


def test_of_more_spikes_than_the_block_holds_the_last_98_are_kept(capsys) -> None:
    counts, words = torch.full((N_UNITS, 5), 4), tokenizer()
    tokens = words.encode(events_of(counts))
    assert "has 140, and 98 fit its block of 100 tokens" in capsys.readouterr().out
    words.encode(events_of(counts))
    assert capsys.readouterr().out == ""
    kept = tokenizer().decode(tokens)[0]
    assert kept.sum() == 98
    assert tokens.dropped.tolist() == [140 - 98]
    # 28 a bin: the first bin is gone, and of the second the 14 with the lowest units
    assert kept.sum(0).tolist() == [0, 14, 28, 28, 28]
    assert kept[:, 1].tolist() == [0, 0, 0, 2, 4, 4, 4]


def test_the_vocabulary_of_steps_is_that_of_the_paper() -> None:
    words = tokenizer()
    assert (words.n_steps, words.step_start, words.step_end, words.step_pad) == (9, 6, 7, 8)
    assert tokenizer(seconds=0.15).n_steps == 19


def test_a_window_is_framed_by_start_and_end(spikes) -> None:
    words = tokenizer(length=8)
    tokens = words.encode(spikes.events([[(3, 0.001), (1, 0.012), (0, 0.049)], []]))
    assert tokens.id.tolist() == [[7, 3, 1, 0, 8, 9, 9, 9], [7, 8, 9, 9, 9, 9, 9, 9]]
    assert tokens.step.tolist() == [[0, 0, 1, 4, 7, 8, 8, 8], [0, 7, 8, 8, 8, 8, 8, 8]]
    assert tokens.mask.sum(1).tolist() == [5, 2]


@pytest.mark.parametrize("seed", range(5))
def test_the_order_in_which_spikes_are_given_does_not_matter(spikes, seed) -> None:
    events = spikes.random(seed, 4, N_UNITS, 0.0, 0.05)
    order = torch.randperm(events.mask.shape[1], generator=torch.Generator().manual_seed(seed))
    shuffled = Events(events.channel[:, order], events.time[:, order], events.mask[:, order])
    one, other = tokenizer().encode(events), tokenizer().encode(shuffled)
    assert torch.equal(one.id, other.id)
    assert torch.equal(one.step, other.step)


def test_a_spike_on_the_border_of_bins_belongs_to_the_later_one(spikes) -> None:
    # 0.03 is a little below 3 hundredths in float32
    tokens = tokenizer().encode(spikes.events([[(0, 0.03)]]))
    assert tokens.step[0, 1] == 3


def test_events_come_back_in_the_middle_of_their_bins(spikes) -> None:
    words = tokenizer()
    events = words.times(words.encode(spikes.events([[(3, 0.001), (1, 0.012)], []]), 0.0), start=1.0)
    assert events.mask.tolist() == [[True, True], [False, False]]
    assert events.channel[0].tolist() == [3, 1]
    assert events.time[0].tolist() == pytest.approx([1.005, 1.015])


def test_an_unknown_unit_is_named(spikes) -> None:
    with pytest.raises(ValueError, match=r"unit 7 fired and the vocabulary has the units 0 to 6"):
        tokenizer().encode(spikes.events([[(7, 0.01)]]))


@pytest.mark.parametrize("time", [-0.001, 0.061])
def test_a_spike_outside_the_window_is_refused_with_the_field_that_mends_it(spikes, time) -> None:
    with pytest.raises(ValueError, match=r"start: 0 and stop: 0.05"):
        tokenizer().encode(spikes.events([[(0, time)]]))


def test_padding_is_not_read(spikes) -> None:
    events = spikes.events([[(0, 0.01)], [(1, 0.02), (2, 0.03)]])
    garbage = replace(
        events, channel=torch.where(events.mask, events.channel, 99), time=torch.where(events.mask, events.time, -9.0)
    )
    assert torch.equal(tokenizer().encode(events).id, tokenizer().encode(garbage).id)


def test_a_window_that_is_no_whole_number_of_bins_is_refused() -> None:
    with pytest.raises(ValueError, match="whole number of bins"):
        SpikeTokenizer(3, 0.055, 10)


def test_trimming_takes_padding_alone_and_leaves_end_before_the_last_column(spikes) -> None:
    tokenizer = SpikeTokenizer(n_units=4, seconds=0.05, length=20)
    tokens = tokenizer.encode(spikes.events([[(0, 0.01), (1, 0.02)], []]))
    trimmed = tokens.trimmed()
    assert trimmed.id.shape == (2, 5)
    assert torch.equal(tokenizer.decode(trimmed), tokenizer.decode(tokens))
    assert trimmed.id[0, -2] == tokenizer.end
