"""Fills a batch: positions in a table of windows to padded tensors, in one reused block of memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray

from data_loaders import fields, plans
from data_loaders.blocks import BLOCKS
from data_loaders.contracts import Batch, Field
from data_loaders.filling import fill
from data_loaders.plans import Plan
from data_loaders.samplers.hashing import mix
from data_loaders.store import Store
from data_loaders.targets import Target
from data_loaders.transforms.base import SignalInfo, Transform
from data_loaders.windows import Windows, encode_id

# plans of a study or two; beyond, they are made again
_KEPT = 1 << 13


@dataclass(frozen=True, eq=False)
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
        rows = Drawn(self.windows.recording[run], anchor, self.plan)
        place = np.arange(positions.shape[1]) if place is None else place
        parts: dict[str, Any] = self._signal(rows) | self._named(rows)
        return Batch(
            **parts,
            subject_id=torch.from_numpy(rows.each(lambda plan: self._subject(plan.entry.entities["subject"]))),
            session_id=torch.from_numpy(rows.recording.astype(np.int64)),
            window_id=torch.from_numpy(encode_id(rows.recording, anchor)),
            seed=torch.from_numpy((mix(np.tile(place, len(positions)), self.seed) >> np.uint64(1)).astype(np.int64)),
            targets={target.name: target.read(self.windows, flat) for target in self.targets},
            n_views=len(positions),
        )

    def infos(self, recording: int) -> list[SignalInfo]:
        """A recording's channels before each transform, and after the last."""
        return list(self.plan(recording).infos)

    def windows_of(self, recording: int, anchors: Int[ndarray, "row"]) -> list[ndarray]:
        """The signals [time, channel] of one recording's windows, after the transforms."""
        infos = self.infos(recording)
        return [
            self._changed(raw, infos) for raw in fields.dense(self.store, recording, anchors, self.fields["signal"])
        ]

    @property
    def looks_ahead(self) -> bool:
        """True where it helps to know early what will be read: bytes come from far away."""
        return self.store.content.looks_ahead

    def announce(self, positions: Int[ndarray, "view item"]) -> None:
        """Asks for the bytes of the signal that a batch will read soon."""
        if "signal" not in self.fields or self._counts:
            return
        run, anchor = self.windows.locate(positions.reshape(-1))
        rows = Drawn(self.windows.recording[run], anchor, self.plan)
        for number, plan in enumerate(rows.plans):
            self._expect(plan, anchor[rows.of == number])

    def _expect(self, plan: Plan, anchors: Int[ndarray, "row"]) -> None:
        start, entry, content = anchors + plan.first, plan.entry, self.store.content
        if plan.extent is not None and plan.n_times and start.min() >= 0 and start.max() <= plan.total - plan.n_times:
            return content.prefetch(entry.file, entry.size, plan.extent, start, start + plan.n_times)
        # of lengths of their own, or an error that says where the recording ends
        for at in anchors.tolist():
            reach = fields.reach(entry, self.fields["signal"], at)
            file, size, extent, first, last = self.store.stretch(plan.recording, "signal", *reach)
            content.prefetch(file, size, extent, np.array([first]), np.array([last]))
        return None

    @cached_property
    def plan(self) -> Callable[[int], Plan]:
        """The plan of a recording, by its number."""
        made = partial(plans.plan, self.store, wanted=self.fields, transforms=self.transforms, spikes=self._counts)
        return lru_cache(maxsize=_KEPT)(made)

    @property
    def _counts(self) -> bool:
        return "signal" in self.fields and self.fields["signal"].source == "spikes"

    @cached_property
    def _subject(self) -> Callable[[str], int]:
        return {subject: number for number, subject in enumerate(self.subjects)}.__getitem__

    def _signal(self, rows: Drawn) -> dict[str, Any]:
        sfreq = torch.from_numpy(rows.each(lambda plan: plan.infos[-1].sfreq, np.float32))
        if "signal" not in self.fields:
            return {"signal": None, "sfreq": sfreq, **_no_channels(len(rows.recording))}
        block, n_times = self._read(rows) if self._in_place(rows) else self._stepped(rows)
        ch_mask, ch_positions = rows.channels(block.shape[2])
        time_mask = _until(n_times, block.shape[1])
        signal = torch.from_numpy(block).transpose(1, 2)  # [batch, channel, time]
        masks = {"ch_mask": ch_mask, "time_mask": time_mask, "ch_positions": ch_positions}
        return {"signal": signal, "sfreq": sfreq, **masks}

    def _in_place(self, rows: Drawn) -> bool:
        """True where every window is a stretch of known length, inside its recording, and changed channel by channel."""
        if any(plan.chain is None or plan.n_times is None for plan in rows.plans):
            return False
        start = rows.anchor + rows.first
        return self._counts or bool((start >= 0).all() and (start + rows.n_times <= rows.total).all())

    def _read(self, rows: Drawn) -> tuple[Float[ndarray, "row time channel"], Int[ndarray, "row"]]:
        """Windows go from disk to their place in the batch, and are changed there."""
        n_times, n_chans = rows.n_times, max(plan.n_chans for plan in rows.plans)
        # time-major, as on disk: each window is contiguous, and the batch is a transposed view of the block
        block = BLOCKS.take((len(n_times), int(n_times.max()), n_chans))
        if self._counts:
            self._count(rows, block)
        else:
            for plan in rows.plans:
                fields.check_rate(plan.entry, self.fields["signal"])
            fill(self.store.content, rows.plans, rows.of, rows.anchor + rows.first, block)
        return block, n_times

    def _count(self, rows: Drawn, block: Float[ndarray, "row time channel"]) -> None:
        """Spikes per bin, recording by recording, and the transforms on them."""
        for number, plan in enumerate(rows.plans):
            where = np.flatnonzero(rows.of == number)
            fields.count(self.store, plan.recording, rows.anchor[where], self.fields["signal"], block, where)
            for row in where.tolist():
                _finish(plan, block[row, : plan.n_times, : plan.n_chans])

    def _stepped(self, rows: Drawn) -> tuple[Float[ndarray, "row time channel"], Int[ndarray, "row"]]:
        """Windows of any length, through transforms that see them one by one."""
        windows: list[ndarray] = [np.empty(0)] * len(rows.recording)
        for number, plan in enumerate(rows.plans):
            where = np.flatnonzero(rows.of == number)
            for row, window in zip(where, self.windows_of(plan.recording, rows.anchor[where]), strict=True):
                windows[row] = window
        n_times, n_chans = (np.array([window.shape[axis] for window in windows]) for axis in (0, 1))
        block = BLOCKS.take((len(windows), int(n_times.max()), int(n_chans.max())))
        for row, window in enumerate(windows):
            block[row, : len(window), : window.shape[1]] = window
            block[row, len(window) :], block[row, :, window.shape[1] :] = 0.0, 0.0
        return block, n_times

    def _changed(self, raw: Float[ndarray, "time channel"], infos: Sequence[SignalInfo]) -> ndarray:
        chunk = raw.T  # [channel, time]
        for transform, info in zip(self.transforms, infos[:-1], strict=True):
            chunk, _ = transform.step(chunk, info)
        return chunk.T  # [time, channel]

    def _named(self, rows: Drawn) -> dict[str, dict[str, Any]]:
        named: dict[str, dict[str, Any]] = {"events": {}, "streams": {}}
        others = {name: field for name, field in self.fields.items() if name != "signal"}
        seconds = rows.anchor / rows.each(lambda plan: plan.entry.sfreq, np.float64) if others else rows.anchor
        for name, field in others.items():
            kind, read = ("events", fields.events) if field.source == "spikes" else ("streams", fields.sampled)
            named[kind][name] = read(self.store, rows.recording, seconds, field)
        return named


class Drawn:
    """The rows of a batch: which recording and anchor each is, and the plans of the recordings among them."""

    def __init__(
        self, recording: Int[ndarray, "row"], anchor: Int[ndarray, "row"], plan: Callable[[int], Plan]
    ) -> None:
        self.recording, self.anchor = recording, anchor
        several, self.of = np.unique(recording, return_inverse=True)
        self.plans = [plan(one) for one in several.tolist()]
        self.first, self.n_times, self.total = np.array([plan.numbers for plan in self.plans], np.int64).T[:, self.of]

    def each(self, value: Callable[[Plan], Any], dtype: Any = np.int64) -> ndarray:
        """A number of each row's recording."""
        return np.array([value(plan) for plan in self.plans], dtype)[self.of]

    def channels(self, width: int) -> tuple[torch.Tensor, torch.Tensor]:
        """What is real among padded channels [row, channel], and where each is [row, channel, 3], in metres."""
        mask = np.zeros((len(self.plans), width), bool)
        positions = np.full((len(self.plans), width, 3), np.nan, np.float32)
        for number, plan in enumerate(self.plans):
            mask[number, : plan.n_chans], positions[number, : plan.n_chans] = plan.mask, plan.positions
        return torch.from_numpy(mask[self.of]), torch.from_numpy(positions[self.of])


def _finish(plan: Plan, row: Float[ndarray, "time channel"]) -> None:
    """The channelwise transforms of counted spikes, in place where the row is contiguous."""
    assert plan.chain is not None
    window = np.ascontiguousarray(row)
    plan.chain.run(window, window)
    if window is not row:
        row[:] = window


def _until(n_times: Int[ndarray, "row"], width: int) -> torch.Tensor:
    """True up to the length of each row [row, time]."""
    if (n_times == width).all():
        return torch.ones(len(n_times), width, dtype=torch.bool)
    return torch.from_numpy(np.arange(width) < n_times[:, None])


def _no_channels(n: int) -> dict[str, torch.Tensor]:
    none = torch.zeros(n, 0, dtype=torch.bool)
    return {"ch_mask": none, "time_mask": none, "ch_positions": torch.zeros(n, 0, 3)}
