"""What flows: from a recording on disk to a score. The one module that both packages share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Protocol, runtime_checkable

import pandas as pd
import torch
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from torch import Tensor


@dataclass(frozen=True)
class Stream:
    """A named signal on its own regular clock: position, velocity, stimulus frames, features.

    `values[k]` was taken at `start + k / sfreq` seconds after the recording's first sample.
    """

    values: ndarray  # [time, ...]
    sfreq: float
    start: float = 0.0
    names: tuple[str, ...] = ()
    unit: str = ""


@dataclass(frozen=True)
class Spikes:
    """Sorted spike times (seconds) and the channel, that is the unit, which fired."""

    times: Float[ndarray, "spike"]
    channels: Int[ndarray, "spike"]


@dataclass(frozen=True)
class Recording:
    """One continuous stretch of one session, in SI units, as the readers hand it to the store.

    `sfreq` is the clock that anchors tick on; for spikes it is the resolution of windows (no signal is binned).
    `segments` are [start, stop) seconds (trials, runs, between gaps): no window crosses a border of one.
    `gain` and `offset` (volts, tesla, ... per integer step and channel) are given when the source holds int16:
    the store then keeps the integers. `ch_columns` is whatever else is known of each channel (`region`, `group`, `quality`, ...):
    text or numbers, one per channel, "" or NaN where unknown. `space` says where the channels of a scan lie, so that values
    per channel become an image again (`data_loaders.formats.space`). `decisions` says what the reader decided, in words for the user.
    """

    study: str
    subject: str
    modality: str
    sfreq: float
    ch_names: tuple[str, ...]
    ch_types: tuple[str, ...]
    duration: float
    session: str = ""
    task: str = ""
    run: str = ""
    signal: Float[ndarray, "time channel"] | None = None
    units: tuple[str, ...] = ()
    ch_positions: Float[ndarray, "channel 3"] | None = None
    ch_columns: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    space: Mapping[str, Any] = field(default_factory=dict)
    bads: tuple[str, ...] = ()
    gain: Float[ndarray, "channel"] | None = None
    offset: Float[ndarray, "channel"] | None = None
    spikes: Spikes | None = None
    streams: Mapping[str, Stream] = field(default_factory=dict)
    events: pd.DataFrame | None = None
    segments: Float[ndarray, "segment 2"] | None = None
    demographics: Mapping[str, Any] = field(default_factory=dict)
    source: str = ""
    decisions: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The BIDS-like name: sub-01_ses-02_task-rest_run-1."""
        entities = {"sub": self.subject, "ses": self.session, "task": self.task, "run": self.run}
        return "_".join(f"{key}-{value}" for key, value in entities.items() if value)


@dataclass(frozen=True)
class Field:
    """Which stretch of which signal a batch carries: [start, stop) seconds from the anchor, `round((stop - start) * sfreq)` samples.

    `source` is "signal", "spikes" or a stream's name. The field's own name says where it lands: `signal` in
    `Batch.signal` (spikes are then counted in bins), any other name in `Batch.events` for spikes and in `Batch.streams`
    for the rest. `sfreq` is the rate of bins for spikes; left out, the recording's clock.
    """

    start: float
    stop: float
    source: str = "signal"
    sfreq: float | None = None

    def __post_init__(self) -> None:
        if not self.stop > self.start:
            raise ValueError(
                f"a field runs from start to a later stop, got start={self.start:g}, stop={self.stop:g}: swap them"
            )

    def n_times(self, sfreq: float) -> int:
        """Number of samples at a rate of `sfreq` hertz."""
        return round((self.stop - self.start) * sfreq)


@dataclass(frozen=True)
class Sampled:
    """A stream's part of a batch."""

    values: Float[Tensor, "batch ..."]
    mask: Bool[Tensor, "batch time"]
    sfreq: Float[Tensor, "batch"]


@dataclass(frozen=True)
class Events:
    """A ragged field of a batch, padded: which channel fired, when (seconds from the anchor), and what is real."""

    channel: Int[Tensor, "batch event"]
    time: Float[Tensor, "batch event"]
    mask: Bool[Tensor, "batch event"]


@dataclass(frozen=True)
class Batch:
    """Windows of recordings, rows view-major. Masks are True where data are real."""

    signal: Float[Tensor, "batch channel time"] | None
    sfreq: Float[Tensor, "batch"]
    ch_positions: Float[Tensor, "batch channel 3"]
    ch_mask: Bool[Tensor, "batch channel"]
    time_mask: Bool[Tensor, "batch time"]
    subject_id: Int[Tensor, "batch"]
    session_id: Int[Tensor, "batch"]
    window_id: Int[Tensor, "batch"]
    seed: Int[Tensor, "batch"]
    streams: dict[str, Sampled] = field(default_factory=dict)
    events: dict[str, Events] = field(default_factory=dict)
    targets: dict[str, Tensor] = field(default_factory=dict)
    n_views: int = 1

    def __len__(self) -> int:
        return len(self.window_id)

    def to(self, *args: Any, **kwargs: Any) -> Batch:
        """Moves every tensor, as `Tensor.to` does."""
        return _map(self, lambda tensor: tensor.to(*args, **kwargs))

    def pin_memory(self) -> Batch:
        """Copies every tensor to page-locked memory."""
        return _map(self, torch.Tensor.pin_memory)

    def view(self, i: int) -> Batch:
        """The rows of the i-th view: reference, positive, negative."""
        if not 0 <= i < self.n_views:
            raise ValueError(
                f"this batch has {self.n_views} views, asked for view {i}: draw with a sampler of more views"
            )
        return self.rows(slice(i * len(self) // self.n_views, (i + 1) * len(self) // self.n_views))

    def rows(self, index: Tensor | slice) -> Batch:
        """These windows, as a batch of one view."""
        return replace(_map(self, lambda tensor: tensor[index]), n_views=1)


def _map(value: Any, change: Any) -> Any:
    """Applies `change` to each tensor of a contract, however deep."""
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, dict):
        return {key: _map(item, change) for key, item in value.items()}
    if isinstance(value, Sampled | Events | Batch):
        return replace(value, **{f.name: _map(getattr(value, f.name), change) for f in fields(value)})
    return value


@dataclass(frozen=True)
class Tokens:
    """What an encoder makes of a batch. `time` (seconds from the anchor) and `channel` only where they have meaning."""

    embedding: Float[Tensor, "batch token dim"]
    mask: Bool[Tensor, "batch token"]
    time: Float[Tensor, "batch token"] | None = None
    channel: Int[Tensor, "batch token"] | None = None

    def pooled(self) -> Float[Tensor, "batch dim"]:
        """The mean over real tokens."""
        weight = self.mask.unsqueeze(-1).to(self.embedding.dtype)  # [batch, token, 1]
        return (self.embedding * weight).sum(1) / weight.sum(1).clamp(min=1)


@runtime_checkable
class Rows(Protocol):
    """A two-dimensional table on disk or in memory: numpy arrays, memory maps and HDF5 datasets are Rows."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> Any: ...
    def __getitem__(self, key: Any, /) -> Any: ...


SCORE_COLUMNS = (
    "model", "target", "metric", "subject", "fold", "seed", "value", "chance", "baseline", "ceiling", "n_samples",
)  # fmt: skip


@dataclass(frozen=True)
class Scores:
    """One row per model, target, metric, subject, fold and seed; `ceiling` is NaN where none exists.

    `chance` and `baseline` (the best linear baseline on the same rows) stand beside each value. `summary` has one row
    per model, target and metric: value, low, high (95 % interval), chance, n_subjects, n_samples, how the interval was made.
    """

    rows: pd.DataFrame
    summary: pd.DataFrame

    def __post_init__(self) -> None:
        missing = [column for column in SCORE_COLUMNS if column not in self.rows.columns]
        if missing:
            raise ValueError(f"Scores.rows lacks the columns {missing}: an evaluator gives {list(SCORE_COLUMNS)}")

    @classmethod
    def of(cls, rows: pd.DataFrame) -> Scores:
        """The rows with their means over folds and subjects as summary, before intervals are known."""
        means = rows.groupby(["model", "target", "metric"], sort=False)
        return cls(rows, means.agg(value=("value", "mean"), n_samples=("n_samples", "sum")).reset_index())
