"""Spikes as tokens: which unit fired, and in which bin, between a start and an end; tensors only, no loop over spikes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from data_loaders.contracts import Events


@dataclass(frozen=True)
class SpikeTokens:
    """`id` is a unit, START, END or PAD; `step` the bin of the spike. `mask` is True on all but PAD.

    `dropped` counts the spikes of each window that did not fit: the earliest ones.
    """

    id: Int[Tensor, "batch token"]
    step: Int[Tensor, "batch token"]
    mask: Bool[Tensor, "batch token"]
    dropped: Int[Tensor, "batch"]

    def first(self, n: int) -> SpikeTokens:
        """The first n tokens of every row, or all but the last -n."""
        return SpikeTokens(self.id[:, :n], self.step[:, :n], self.mask[:, :n], self.dropped)

    def trimmed(self) -> SpikeTokens:
        """Without the columns at the end in which every window has padding, but for one, so that END is not the last."""
        return self.first(int(self.mask.sum(1).max()) + 1 if len(self.mask) else 0)


class SpikeTokenizer:
    """Turns the spikes of windows of `seconds` into `length` tokens, and back: START, spikes in order, END, PAD.

    Spikes are sorted by bin, then by unit: within a bin of `bin` seconds nothing is known of their order. Of more than
    `length - 3` spikes the last are kept. Steps count bins; `longest` is the longest window that shares the vocabulary.

    >>> tokenizer = SpikeTokenizer(n_units=100, seconds=0.05, length=101)
    >>> tokenizer.n_ids, tokenizer.n_steps, tokenizer.end
    (103, 9, 101)
    """

    def __init__(
        self, n_units: int, seconds: float, length: int, bin: float = 0.01, longest: float | None = None
    ) -> None:
        self.n_units, self.seconds, self.length, self.bin = n_units, seconds, length, bin
        self.n_bins = round(seconds / bin)
        last = round((longest or seconds) / bin)
        if abs(self.n_bins * bin - seconds) > 1e-9 or self.n_bins < 1:
            raise ValueError(
                f"a window of {seconds:g} s is not a whole number of bins of {bin:g} s: change one of them"
            )
        if length < 4:
            raise ValueError(f"a block of {length - 1} tokens holds no spike between START and END: make it at least 3")
        self.start, self.end, self.pad = n_units, n_units + 1, n_units + 2
        self.step_start, self.step_end, self.step_pad = last + 1, last + 2, last + 3
        self._told = False
        self._tables: dict[torch.device, tuple[Tensor, Tensor]] = {}

    @property
    def n_ids(self) -> int:
        """Units, START, END and PAD."""
        return self.n_units + 3

    @property
    def n_steps(self) -> int:
        """Bins, the step at the end of the longest window, START, END and PAD."""
        return self.step_pad + 1

    def encode(self, events: Events, start: float = 0.0) -> SpikeTokens:
        """The tokens of spikes whose times are seconds from an anchor; the window begins at `start`.

        Raises ValueError for a unit that the vocabulary lacks and for a spike outside the window. Order does not matter.
        """
        # START sorts before the spikes, END behind them, then PAD, of which one is always there
        inside = self._inside(events, start)
        keys = F.pad(torch.where(events.mask, inside, self._n_keys + 1), (0, 3), value=self._n_keys + 1)
        keys[:, -3], keys[:, -2] = -1, self._n_keys
        count = events.mask.sum(1)
        dropped = (count - (self.length - 3)).clamp(min=0)
        self._tell(count)
        place = torch.arange(self.length, device=count.device)
        source = torch.where(place > 0, place + dropped[:, None], 0).clamp(max=keys.shape[1] - 1)
        return self._named(_sorted(keys).gather(1, source), dropped)

    def decode(self, tokens: SpikeTokens) -> Int[Tensor, "batch unit bin"]:
        """How often each unit fired in each bin."""
        spike = tokens.id < self.n_units
        rows = torch.arange(len(tokens.id), device=tokens.id.device)[:, None].expand_as(tokens.id)
        counts = torch.zeros(len(tokens.id), self.n_units, self.n_bins, dtype=torch.long, device=tokens.id.device)
        where = (rows[spike], tokens.id[spike], tokens.step[spike].clamp(max=self.n_bins - 1))
        return counts.index_put(where, torch.ones_like(where[0]), accumulate=True)

    def times(self, tokens: SpikeTokens, start: float = 0.0) -> Events:
        """Spikes as events again, each in the middle of its bin, packed to the left."""
        spike = (tokens.id < self.n_units) & tokens.mask
        order = torch.sort((~spike).to(torch.int8), dim=1, stable=True).indices
        mask = spike.gather(1, order)
        seconds = start + (tokens.step.gather(1, order).float() + 0.5) * self.bin
        channel = torch.where(mask, tokens.id.gather(1, order), 0)
        most = int(mask.sum(1).max()) if len(mask) else 0
        return Events(channel[:, :most], torch.where(mask, seconds, 0.0)[:, :most], mask[:, :most])

    @property
    def _n_keys(self) -> int:
        """Spikes have the keys below this: bin times the number of units, plus the unit. START is -1, END and PAD follow."""
        return self.n_units * self.n_bins

    def _named(self, keys: Int[Tensor, "batch token"], dropped: Int[Tensor, "batch"]) -> SpikeTokens:
        """Keys as units and bins, from a table: looking up is cheaper than dividing."""
        if keys.device not in self._tables:
            key = torch.arange(self._n_keys, device=keys.device)
            # the first step is a literal 0, as in the reference: START has no time
            ids = torch.cat([key.new_tensor([self.start]), key % self.n_units, key.new_tensor([self.end, self.pad])])
            steps = torch.cat(
                [key.new_tensor([0]), key // self.n_units, key.new_tensor([self.step_end, self.step_pad])]
            )
            self._tables[keys.device] = ids, steps
        row, tables = keys + 1, (table.expand(len(keys), -1) for table in self._tables[keys.device])
        ids, steps = (table.gather(1, row) for table in tables)
        return SpikeTokens(ids, steps, keys <= self._n_keys, dropped)

    def _tell(self, count: Int[Tensor, "batch"]) -> None:
        """Says once that spikes are left out, and what holds them."""
        if self._told or not len(count) or int(count.max()) <= self.length - 3:
            return
        self._told = True
        most, fit = int(count.max()), self.length - 3
        print(
            f"spikes: a window of {self.seconds:g} s has {most}, and {fit} fit its block of {self.length - 1} tokens: the earliest "
            f"are left out (told once; a block of {most + 2} holds them)"
        )

    def _inside(self, events: Events, start: float) -> Int[Tensor, "batch event"]:
        """The key of each spike, and anything where there is none."""
        # a spike on the edge of a bin belongs to the bin that begins there, whatever float32 makes of it
        bins = ((events.time.double() - start) / self.bin + 1e-4).floor_().long()
        unit = events.channel
        wrong = (bins < 0) | (bins > self.n_bins) | (unit < 0) | (unit >= self.n_units)
        if (wrong & events.mask).any():
            self._refuse(events, bins, start)
        return bins.clamp_(max=self.n_bins - 1) * self.n_units + unit

    def _refuse(self, events: Events, bins: Int[Tensor, "batch event"], start: float) -> None:
        outside = events.mask & ((bins < 0) | (bins > self.n_bins))
        if outside.any():
            time = float(events.time[outside][0])
            raise ValueError(
                f"a spike lies at {time:g} s from the anchor, outside [{start:g}, {start + self.seconds:g}) s: "
                f"give the events field start: {start:g} and stop: {start + self.seconds:g}"
            )
        unknown = events.mask & ((events.channel >= self.n_units) | (events.channel < 0))
        unit = int(events.channel[unknown][0])
        raise ValueError(
            f"unit {unit} fired and the vocabulary has the units 0 to {self.n_units - 1}: "
            f"build the encoder for this session (n_units), or pick the units it was trained on"
        )


def _sorted(keys: Int[Tensor, "batch event"]) -> Int[Tensor, "batch event"]:
    """Each row in order; numpy sorts integers with vector instructions, ten times faster than torch does on a processor."""
    if keys.device.type == "cpu":
        return torch.from_numpy(np.sort(keys.numpy(), axis=1))
    return keys.sort(1).values


def seconds_of(tokens: SpikeTokens, tokenizer: SpikeTokenizer, start: float = 0.0) -> Float[Tensor, "batch token"]:
    """When each token happened, seconds from the anchor; START at the window's start, END and PAD at its end."""
    inside = tokens.step.clamp(max=tokenizer.n_bins).float() * tokenizer.bin
    return start + torch.where(tokens.id == tokenizer.start, 0.0, inside)
