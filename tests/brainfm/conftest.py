"""What tests of encoders and objectives share: batches made by hand."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from data_loaders.contracts import Batch


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
