"""What tests of encoders and objectives share: batches made by hand."""

from collections.abc import Callable
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from data_loaders.contracts import Batch, Events, Sampled


@pytest.fixture
def as_batch() -> Callable[..., Batch]:
    """Makes a batch of a signal [batch, channel, time] and named targets; `time_mask` marks what is real."""

    def make(signal: Tensor | None, time_mask: Tensor | None = None, **targets: Tensor) -> Batch:
        n, n_chans, n_times = signal.shape if signal is not None else (2, 0, 0)
        ids = torch.arange(n)
        mask = torch.ones(n, n_times, dtype=torch.bool) if time_mask is None else time_mask
        places, channels = torch.zeros(n, n_chans, 3), torch.ones(n, n_chans, dtype=torch.bool)
        return Batch(signal, torch.full((n,), 128.0), places, channels, mask, ids, ids, ids, ids, targets=targets)

    return make


def _events(rows: list[list[tuple[int, float]]]) -> Events:
    """Spikes (unit, seconds) of each window, padded."""
    longest = max(map(len, rows), default=0)
    flags = [[i < len(row) for i in range(longest)] for row in rows]
    padded = [[*row, *[(0, 0.0)] * (longest - len(row))] for row in rows]
    channel = torch.tensor([[unit for unit, _ in row] for row in padded], dtype=torch.long)
    time = torch.tensor([[t for _, t in row] for row in padded], dtype=torch.float32)
    shape = len(rows), longest
    return Events(channel.reshape(shape), time.reshape(shape), torch.tensor(flags, dtype=torch.bool).reshape(shape))


def _random_events(seed: int, n_rows: int, n_units: int, start: float, stop: float, most: int = 20) -> Events:
    """Between none and `most` spikes a window, in order of time."""
    rng, rows = torch.Generator().manual_seed(seed), []
    for _ in range(n_rows):
        n = int(torch.randint(0, most + 1, (), generator=rng))
        unit, time = torch.randint(0, n_units, (n,), generator=rng), torch.rand(n, generator=rng).sort().values
        rows.append(list(zip(unit.tolist(), (start + (stop - start) * 0.999 * time).tolist(), strict=True)))
    return _events(rows)


def _spike_batch(
    past: Events, current: Events, session: int = 0, targets: dict | None = None, **streams: Sampled
) -> Batch:
    """A batch of spikes, and streams by name."""
    n = len(past.mask)
    ids, none, of = torch.arange(n), torch.zeros(n, 0, dtype=torch.bool), torch.full((n,), session)
    fields = {"past": past, "current": current}
    places = torch.zeros(n, 0, 3)
    return Batch(None, torch.ones(n), places, none, none, of, of, ids, ids, streams, fields, targets or {})


def _stream(values: Tensor) -> Sampled:
    """[batch, ..., time], all real."""
    mask = torch.ones(values.shape[0], values.shape[-1], dtype=torch.bool)
    return Sampled(values, mask, torch.full((len(values),), 20.0))


@pytest.fixture
def spikes() -> SimpleNamespace:
    """Makes events, at random or written down, streams, and batches of them."""
    return SimpleNamespace(events=_events, random=_random_events, batch=_spike_batch, stream=_stream)
