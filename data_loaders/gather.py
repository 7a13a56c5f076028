"""Fills a batch: positions in a table of windows to padded tensors, in one reused block of memory."""

from __future__ import annotations

import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray

from data_loaders import fields
from data_loaders.contracts import Batch, Field
from data_loaders.samplers.hashing import mix
from data_loaders.store import Store
from data_loaders.targets import Target
from data_loaders.transforms.base import SignalInfo, Transform
from data_loaders.windows import Windows


@dataclass(frozen=True)
class Gather:
    """Positions to a Batch. Channels that are bad or padded are zero, and False in `ch_mask`."""

    store: Store
    windows: Windows
    fields: Mapping[str, Field]
    transforms: Sequence[Transform]
    targets: Sequence[Target]
    subjects: Sequence[str]
    seed: int = 0

    def __call__(self, positions: Int[ndarray, "view item"], place: Int[ndarray, "item"] | None = None) -> Batch:
        """`place` numbers the items in the global order: it keys `Batch.seed`, so results do not depend on ranks."""
        flat = positions.reshape(-1)
        run, anchor = self.windows.locate(flat)
        recording = self.windows.recording[run]
        place = np.arange(positions.shape[1]) if place is None else place
        parts: dict[str, Any] = self._signal(recording, anchor) | self._named(recording, anchor)
        return Batch(
            **parts,
            subject_id=torch.tensor([self._subject(int(r)) for r in recording]),
            session_id=torch.from_numpy(recording.astype(np.int64)),
            window_id=torch.from_numpy(self.windows.ids(flat)),
            seed=torch.from_numpy((mix(np.tile(place, len(positions)), self.seed) >> np.uint64(1)).astype(np.int64)),
            targets={target.name: target.read(self.windows, flat) for target in self.targets},
            n_views=len(positions),
        )

    def infos(self, recording: int) -> list[SignalInfo]:
        """A recording's channels before each transform, and after the last."""
        infos = [fields.info_of(self.store.entry(recording), recording, self.fields.get("signal"))]
        for transform in self.transforms:
            infos.append(transform.plan(infos[-1]))
        return infos

    def windows_of(self, recording: int, anchors: Int[ndarray, "row"]) -> list[ndarray]:
        """The signals [time, channel] of one recording's windows, after the transforms."""
        infos = self.infos(recording)
        return [
            self._changed(raw, infos) for raw in fields.dense(self.store, recording, anchors, self.fields["signal"])
        ]

    def _changed(self, raw: Float[ndarray, "time channel"], infos: Sequence[SignalInfo]) -> ndarray:
        chunk = raw.T  # [channel, time]
        for transform, info in zip(self.transforms, infos[:-1], strict=True):
            chunk, _ = transform.step(chunk, info)
        return chunk.T  # [time, channel]

    def _rows(self, recording: ndarray, anchor: ndarray) -> list[ndarray]:
        rows: list[ndarray] = [np.empty(0)] * len(recording)
        for one in np.unique(recording):
            where = np.flatnonzero(recording == one)
            for row, window in zip(where, self.windows_of(int(one), anchor[where]), strict=True):
                rows[row] = window
        return rows

    def _signal(self, recording: ndarray, anchor: ndarray) -> dict[str, Any]:
        infos = {int(r): self.infos(int(r)) for r in np.unique(recording)}
        last = [infos[int(r)][-1] for r in recording]
        if "signal" not in self.fields:
            return {"signal": None, "sfreq": self._rates(last), **_no_channels(len(recording))}
        rows = self._rows(recording, anchor)
        n_times, n_chans = (np.array([row.shape[axis] for row in rows]) for axis in (0, 1))
        # time-major, as on disk: each copy is contiguous, and the batch is a transposed view of the block
        block = _BLOCKS.take((len(rows), int(n_times.max()), int(n_chans.max())))
        for row, window in enumerate(rows):
            block[row, : len(window), : window.shape[1]] = window
            block[row, len(window) :], block[row, :, window.shape[1] :] = 0.0, 0.0
        ch_mask, ch_positions = map(torch.from_numpy, fields.channels(last, block.shape[2]))
        time_mask = torch.from_numpy(np.arange(block.shape[1]) < n_times[:, None])
        signal = torch.from_numpy(block).transpose(1, 2)  # [batch, channel, time]
        masks = {"ch_mask": ch_mask, "time_mask": time_mask, "ch_positions": ch_positions}
        return {"signal": signal, "sfreq": self._rates(last), **masks}

    def _named(self, recording: ndarray, anchor: ndarray) -> dict[str, dict[str, Any]]:
        seconds = anchor / np.array([self.store.entry(int(r)).sfreq for r in recording])
        named: dict[str, dict[str, Any]] = {"events": {}, "streams": {}}
        for name, field in self.fields.items():
            if name == "signal":
                continue
            if field.source == "spikes":
                named["events"][name] = fields.events(self.store, recording, seconds, field)
            else:
                named["streams"][name] = fields.sampled(self.store, recording, seconds, field)
        return named

    def _subject(self, recording: int) -> int:
        return self.subjects.index(self.store.entry(recording).entities["subject"])

    def _rates(self, infos: Sequence[SignalInfo]) -> torch.Tensor:
        return torch.tensor([info.sfreq for info in infos], dtype=torch.float32)


def _no_channels(n: int) -> dict[str, torch.Tensor]:
    none = torch.zeros(n, 0, dtype=torch.bool)
    return {"ch_mask": none, "time_mask": none, "ch_positions": torch.zeros(n, 0, 3)}


class _Blocks:
    """Reuses a block of memory once nobody holds the batch that was made of it: fresh pages cost as much as the copy."""

    def __init__(self, keep: int = 16) -> None:
        self._blocks: list[ndarray] = []
        self._keep, self._lock = keep, threading.Lock()

    def take(self, shape: tuple[int, ...]) -> Float[ndarray, "row time channel"]:
        with self._lock:
            for block in self._blocks:
                # held by the list, this loop and the call itself: three references mean that no batch holds it
                if block.shape == shape and sys.getrefcount(block) <= 3:
                    return block
            block = np.empty(shape, np.float32)
            self._blocks = [*self._blocks[-self._keep + 1 :], block]
            return block


_BLOCKS = _Blocks()
