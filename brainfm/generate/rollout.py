"""Rollouts: window after window written from what the model wrote before, never from what was recorded since."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from brainfm.encoders.base import SpikeEncoder, take_events
from brainfm.nn.autoregression import Writer, write
from brainfm.nn.sampling import Sampling
from data_loaders.contracts import Batch, Events


@dataclass(frozen=True)
class Rollout:
    """The spikes that were written, seconds from the first window's anchor, over `seconds` in all."""

    events: Events
    seconds: float


@torch.no_grad()
def rollout(
    objective: Writer,
    windows: Iterable[Batch],
    sampling: Sampling | None = None,
    *,
    seed: int = 0,
    drop: Sequence[str] = (),
    hold: Sequence[str] = (),
    suppress_end: bool = False,
) -> Rollout:
    """Writes consecutive windows; the k-th batch holds the k-th window of every row, `current_seconds` after the one before.

    Of the recording's spikes only the past of the first window is read: afterwards the model's past is its own. Other
    modalities are read from each batch, but those of `drop` are left out, and those of `hold` stay as they were in the
    first window. The same seed writes the same spikes. Raises ValueError where a batch has other rows than the first.
    """
    encoder = _encoder(objective)
    past: Events | None = None
    parts: list[Events] = []
    first: Batch | None = None
    for batch in windows:
        first = first or batch
        if len(batch) != len(first):
            raise ValueError(
                f"window {len(parts)} has {len(batch)} rows and the first {len(first)}: give the same rows in every window"
            )
        past = take_events(batch, "past") if past is None else past
        shown = _shown(batch, first, past, drop, hold)
        generator = torch.Generator(batch.window_id.device).manual_seed(seed * 1_000_003 + len(parts))
        state = encoder.new_state(len(batch))
        written = write(objective, batch.session_id, encoder.context(shown), state, sampling, generator, suppress_end)
        new = objective.vocabulary.times(written.tokens)
        past = _moved(_joined(past, new), encoder.current.seconds, encoder.past.seconds)
        parts.append(replace(new, time=new.time + len(parts) * encoder.current.seconds))
    if not parts:
        raise ValueError("no window was given: give at least one batch")
    whole = parts[0]
    for part in parts[1:]:
        whole = _joined(whole, part)
    return Rollout(_packed(whole), len(parts) * encoder.current.seconds)


def _encoder(objective: Writer) -> SpikeEncoder:
    encoder = getattr(objective, "encoder", None)
    if not isinstance(encoder, SpikeEncoder):
        raise ValueError(f"{type(objective).__name__} writes no spikes: give a SpikePrediction with a SpikeEncoder")
    return encoder


def _shown(batch: Batch, first: Batch, past: Events, drop: Sequence[str], hold: Sequence[str]) -> Batch:
    """The batch as the model may see it: nothing of the recording's current spikes, its own past."""
    known = {*batch.streams, *batch.events}
    unknown = [name for name in (*drop, *hold) if name not in known]
    if unknown:
        raise ValueError(f"{unknown[0]!r} is no field of the batch, which has {sorted(known)}: name one of these")
    streams = {name: first.streams[name] if name in hold else field for name, field in batch.streams.items()}
    events = {name: first.events[name] if name in hold else field for name, field in batch.events.items()}
    events = events | {"past": past, "current": _none(past)}
    kept = ({name: field for name, field in fields.items() if name not in drop} for fields in (streams, events))
    return replace(batch, **dict(zip(("streams", "events"), kept, strict=True)))


def _none(events: Events) -> Events:
    return Events(events.channel[:, :0], events.time[:, :0], events.mask[:, :0])


def _joined(one: Events, other: Events) -> Events:
    return Events(
        *(torch.cat([getattr(part, name) for part in (one, other)], 1) for name in ("channel", "time", "mask"))
    )


def _moved(events: Events, seconds: float, kept: float) -> Events:
    """As seen from a later anchor; what lies further back than `kept` is forgotten."""
    time = events.time - seconds
    return _packed(Events(events.channel, time, events.mask & (time >= -kept) & (time < 0)))


def _packed(events: Events) -> Events:
    """Real spikes to the left, in their order, and no more padding than needed."""
    order = torch.sort((~events.mask).to(torch.int8), dim=1, stable=True).indices
    most = int(events.mask.sum(1).max()) if len(events.mask) else 0

    def put(values: Tensor) -> Tensor:
        return values.gather(1, order)[:, :most]

    return Events(put(events.channel), put(events.time), put(events.mask))
