"""Spikes as tokens: which unit fired, and in which bin, between a start and an end; tensors only, no loop over spikes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
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

    def trimmed(self) -> SpikeTokens:
        """Without the columns at the end in which every window has padding, but for one, so that END is not the last."""
        longest = int(self.mask.sum(1).max()) + 1 if len(self.mask) else 0
        return SpikeTokens(self.id[:, :longest], self.step[:, :longest], self.mask[:, :longest], self.dropped)


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
        step = self._steps(events, start)
        self._check_units(events)
        order = step * self.n_units + events.channel
        sorted_, _ = torch.where(events.mask, order, self._beyond).sort(1)
        count = events.mask.sum(1)
        kept = count.clamp(max=self.length - 3)
        self._tell(count)
        place = torch.arange(self.length, device=count.device) - 1  # START stands before the first spike
        source = (place + (count - kept)[:, None]).clamp(0, max(sorted_.shape[1] - 1, 0))
        drawn = sorted_.gather(1, source) if sorted_.shape[1] else source
        return self._framed(drawn, place, kept, count - kept)

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
    def _beyond(self) -> int:
        """Sorts after every spike."""
        return self.n_units * (self.n_bins + 1)

    def _framed(self, order: Tensor, place: Tensor, kept: Tensor, dropped: Tensor) -> SpikeTokens:
        """Puts START before the spikes, END behind them, and PAD behind that."""
        first, end = place < 0, place == kept[:, None]
        behind = place > kept[:, None]
        unit = order % max(self.n_units, 1)
        step = torch.div(order, max(self.n_units, 1), rounding_mode="floor")
        ids = torch.where(behind, self.pad, torch.where(end, self.end, torch.where(first, self.start, unit)))
        # the first step is a literal 0, as in the reference: START has no time
        steps = torch.where(behind, self.step_pad, torch.where(end, self.step_end, torch.where(first, 0, step)))
        return SpikeTokens(ids, steps, ~behind, dropped)

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

    def _steps(self, events: Events, start: float) -> Int[Tensor, "batch event"]:
        # a spike on the edge of a bin belongs to the bin that begins there, whatever float32 makes of it
        bins = torch.floor((events.time.double() - start) / self.bin + 1e-4).long()
        outside = events.mask & ((bins < 0) | (bins > self.n_bins))
        if outside.any():
            time = float(events.time[outside][0])
            raise ValueError(
                f"a spike lies at {time:g} s from the anchor, outside [{start:g}, {start + self.seconds:g}) s: "
                f"give the events field start: {start:g} and stop: {start + self.seconds:g}"
            )
        return torch.where(events.mask, bins.clamp(0, self.n_bins - 1), 0)

    def _check_units(self, events: Events) -> None:
        unknown = events.mask & ((events.channel >= self.n_units) | (events.channel < 0))
        if unknown.any():
            unit = int(events.channel[unknown][0])
            raise ValueError(
                f"unit {unit} fired and the vocabulary has the units 0 to {self.n_units - 1}: "
                f"build the encoder for this session (n_units), or pick the units it was trained on"
            )


def seconds_of(tokens: SpikeTokens, tokenizer: SpikeTokenizer, start: float = 0.0) -> Float[Tensor, "batch token"]:
    """When each token happened, seconds from the anchor; START at the window's start, END and PAD at its end."""
    inside = tokens.step.clamp(max=tokenizer.n_bins).float() * tokenizer.bin
    return start + torch.where(tokens.id == tokenizer.start, 0.0, inside)
