"""Batches for contrastive learning, gathered from sessions in memory by one look-up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor

from brainfm.embedding.sessions import Series
from data_loaders.contracts import Batch
from data_loaders.samplers.base import Sampler
from data_loaders.shuffled import swapped


@dataclass
class Draws:
    """The batch of any step. With `shuffled` each window is swapped for another, the same at every step: a control."""

    series: Series
    sampler: Sampler
    device: torch.device
    shuffled: int | None = None
    _signals: Sequence[Tensor] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._signals = [signal.to(self.device) for signal in self.series.tensors()]
        self._offsets = torch.arange(self.series.n_times, device=self.device)

    def batch(self, step: int) -> Batch:
        """What the sampler draws at this step, view-major."""
        drawn = self.sampler.draw(step)
        return self.gather(drawn.reshape(-1), len(drawn), step)

    def gather(self, positions: Int[ndarray, "row"], n_views: int = 1, step: int = 0) -> Batch:
        """The windows at these positions of the sampler's table."""
        windows = self.sampler.windows
        if self.shuffled is not None:
            positions = swapped(windows, positions, self.shuffled)
        run, anchor = windows.locate(positions)
        recording = windows.recording[run]
        signal = self._windows(recording, anchor)
        return batch_of(signal, torch.from_numpy(recording).to(self.device), n_views, step)

    def _windows(
        self, recording: Int[ndarray, "row"], anchor: Int[ndarray, "row"]
    ) -> Float[Tensor, "row channel time"]:
        if len(self._signals) == 1:
            return self._taken(0, anchor).mT
        width = max(signal.shape[1] for signal in self._signals)
        block = torch.zeros(len(anchor), self.series.n_times, width, device=self.device)
        for session, signal in enumerate(self._signals):
            rows = np.flatnonzero(recording == session)
            block[torch.from_numpy(rows).to(self.device), :, : signal.shape[1]] = self._taken(session, anchor[rows])
        return block.mT

    def _taken(self, session: int, anchor: Int[ndarray, "row"]) -> Float[Tensor, "row time channel"]:
        """Windows of one session, time-major: a row of the overlapping view is one contiguous copy."""
        signal, n_times = self._signals[session], self.series.n_times
        start = (anchor - self.series.left).clip(0, len(signal) - n_times)
        if self.device.type == "cpu":
            width = signal.shape[1]
            view = np.lib.stride_tricks.as_strided(
                signal.numpy(), (len(signal) - n_times + 1, n_times * width), (4 * width, 4), writeable=False
            )
            return torch.from_numpy(view[start]).view(len(start), n_times, width)
        return signal[torch.from_numpy(start).to(self.device)[:, None] + self._offsets]


def batch_of(
    signal: Float[Tensor, "row channel time"], session: Int[Tensor, "row"], n_views: int = 1, step: int = 0
) -> Batch:
    """Windows of arrays as a batch: what arrays do not know is left empty."""
    rows, n_chans, n_times = signal.shape
    ids = torch.arange(rows, device=signal.device)
    true = torch.ones(1, 1, dtype=torch.bool, device=signal.device)
    return Batch(
        signal=signal,
        sfreq=torch.ones(1, device=signal.device).expand(rows),
        ch_positions=torch.full((1, 1, 3), torch.nan, device=signal.device).expand(rows, n_chans, 3),
        ch_mask=true.expand(rows, n_chans), time_mask=true.expand(rows, n_times),
        subject_id=session, session_id=session, window_id=ids, seed=ids + step * rows, n_views=n_views,
    )  # fmt: skip
