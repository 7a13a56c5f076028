"""An evaluator: what is measured on the test part of each fold, always beside chance and baselines."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor

from data_loaders.contracts import Batch, Scores

_MAX_BYTES = 2**30  # of signal held in memory for baselines


@runtime_checkable
class Labels(Protocol):
    """A target of the data: `classes` is empty where it is a value, whose dims are then `names`."""

    @property
    def name(self) -> str: ...
    @property
    def classes(self) -> tuple[str, ...]: ...
    @property
    def names(self) -> tuple[str, ...]: ...


class Evaluator(ABC):
    """Of each fold it sees the predictions, then the data for baselines; of the run the predictions of all folds.

    The order is begin, update for each test batch, probe, fit_baselines, update_train for each batch of a sample of the training
    part, compute; then `predictions` holds what it saw.
    """

    @abstractmethod
    def begin(self, model: str, targets: Sequence[Labels], facts: Mapping[str, Any]) -> None:
        """Starts a fold and forgets the last: the trained model's name, what it decodes, and the facts of the data."""

    @abstractmethod
    def update(self, prediction: dict[str, Tensor], batch: Batch) -> None:
        """Takes the trained model's predictions `{target: [batch, output]}` for one test batch."""

    def beside(self, others: Mapping[str, dict[str, Tensor]], batch: Batch) -> None:  # noqa: B027
        """Takes, before `update`, what further trained models predict of the batch: another reading, a control."""

    def measure(self, source: str, losses: Mapping[str, float]) -> None:  # noqa: B027
        """Takes what a contrastive objective says of one draw from the test part; `source` names a control, or is empty."""

    def embedded(self, source: str, points: ndarray, batch: Batch) -> None:  # noqa: B027
        """Takes where a contrastive objective puts one test batch [window, dim]."""

    def probe(self, objective: Any, batches: Iterable[Batch]) -> None:  # noqa: B027
        """Takes the trained model itself and the test part, where a score needs it run otherwise: blindfolded, or forward."""

    @abstractmethod
    def fit_baselines(self, train: Iterable[Batch], test: Iterable[Batch]) -> None:
        """Fits the baselines on the training part and lets them predict the test part."""

    def update_train(self, prediction: dict[str, Tensor], batch: Batch) -> None:  # noqa: B027
        """Takes predictions of windows that the model was trained on, from which `Decoding` learns how much it learned by heart.

        By default nothing is done with them.
        """

    @abstractmethod
    def compute(self, table: pd.DataFrame) -> Scores:
        """The scores of the fold, joined on `window_id`, the table's index.

        The table has recording_name, subject, session, run, onset_s, fold and seed, one row per test window. Raises
        ValueError where a window has no prediction, or two.
        """

    @property
    @abstractmethod
    def predictions(self) -> pd.DataFrame:
        """One row per test window, model and target of the fold, as `brainfm.statistics.predictions` has it."""

    def maps(self, predictions: pd.DataFrame) -> pd.DataFrame:
        """One row per subject, model and channel over all folds, with a column per score; empty where there are no channels."""
        return pd.DataFrame()

    @abstractmethod
    def summarise(self, predictions: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
        """The table of the run, from the predictions and the score rows of all folds together."""


class Outputs:
    """What models said of the test windows, batch by batch, put into the order of a table by `window_id`."""

    def __init__(self) -> None:
        self._ids: dict[str, list[ndarray]] = {"window_id": [], "subject": [], "session": []}
        self._values: dict[tuple[str, str], list[ndarray]] = {}
        self._truth: dict[str, list[ndarray]] = {}
        self.padded, self.masked = False, False

    def add(self, batch: Batch, outputs: Mapping[tuple[str, str], ndarray]) -> None:
        """Outputs `[batch, output]` by model and target."""
        for name, ids in zip(self._ids, (batch.window_id, batch.subject_id, batch.session_id), strict=True):
            self._ids[name].append(ids.cpu().numpy())
        for key, values in outputs.items():
            self._values.setdefault(key, []).append(values)
        for target in {target for _, target in outputs}:
            self._truth.setdefault(target, []).append(batch.targets[target].cpu().numpy())
        self.padded |= not bool(batch.time_mask.all())
        self.masked |= not bool(batch.ch_mask.all())

    def targets(self) -> list[str]:
        """The targets that were predicted."""
        return sorted(self._truth)

    def ids(self, name: str) -> Int[ndarray, "sample"]:
        """`subject` or `session` of every window, as numbers."""
        return np.concatenate(self._ids[name])

    def values(self, windows: pd.DataFrame) -> dict[tuple[str, str], ndarray]:
        """The outputs of each model and target, in the order of a table with a column window_id."""
        if not self._values:
            return {}
        order = self._order(windows)
        return {key: np.concatenate(values)[order] for key, values in self._values.items()}

    def truth(self, target: str, windows: pd.DataFrame) -> ndarray:
        """What the batches gave as truth, in the order of the table."""
        return np.concatenate(self._truth[target])[self._order(windows)]

    def _order(self, windows: pd.DataFrame) -> Int[ndarray, "sample"]:
        asked, given = windows["window_id"], pd.Index(self.ids("window_id"))
        where = {"predicted twice": given[given.duplicated()], "in the table twice": asked[asked.duplicated()]}
        where |= {"not predicted": asked[~asked.isin(given)], "not in the table": given[~given.isin(asked)]}
        for what, ids in where.items():
            if len(ids):
                raise ValueError(
                    f"{len(ids)} of {len(asked)} test windows are {what}, the first is {_place(ids, windows)}: "
                    "give update each batch of the test part once, and compute the table of the same part"
                )
        return given.get_indexer(asked)


def _place(ids: pd.Index | pd.Series, windows: pd.DataFrame) -> str:
    """A window in words: its recording and second where the table has it."""
    first = int(np.asarray(ids)[0])
    row = windows[windows["window_id"] == first]
    where = "" if row.empty else f" ({row['recording_name'].iloc[0]} at {row['onset_s'].iloc[0]:g} s)"
    return f"window {first}{where}"


@dataclass(frozen=True)
class Gathered:
    """Windows of a part in memory, in order of `window_id`: recording by recording, each in order of time.

    `padded` where some lack samples that others have, `masked` where some have bad channels or lack them.
    """

    signal: Float[ndarray, "batch channel time"]
    targets: dict[str, ndarray]
    subject: Int[ndarray, "batch"]
    session: Int[ndarray, "batch"]
    padded: bool
    masked: bool


def gather(batches: Iterable[Batch], max_windows: int) -> Gathered:
    """Reads a part into memory, at most `max_windows` and 1 GiB of signal; more are thinned out at random, which is printed.

    The draw depends on the window alone (a hash of its id), so it is the same on every pass.
    """
    parts: list[dict[str, ndarray]] = []
    n_seen, limit, padded, masked = 0, max_windows, False, False
    for batch in batches:
        part = _arrays(batch)
        limit = min(max_windows, max(1, _MAX_BYTES // part["signal"][0].nbytes))
        n_seen, padded = n_seen + len(batch), padded or not bool(batch.time_mask.all())
        masked |= not bool(batch.ch_mask.all())
        parts.append(part)
        if sum(len(p["window_id"]) for p in parts) > 2 * limit:
            parts = [_thinned(parts, limit)]
    whole = _thinned(parts, limit)
    if len(whole["window_id"]) < n_seen:
        print(f"baselines: fitted on {len(whole['window_id']):,} of {n_seen:,} training windows, drawn at random")
    names = [key for key in whole if key.startswith("target ")]
    targets = {key.removeprefix("target "): whole[key] for key in names}
    return Gathered(whole["signal"], targets, whole["subject"], whole["session"], padded, masked)


def _arrays(batch: Batch) -> dict[str, ndarray]:
    assert batch.signal is not None, "baselines are skipped where there is no signal"
    targets = {f"target {name}": value.cpu().numpy() for name, value in batch.targets.items()}
    ids = {"window_id": batch.window_id, "subject": batch.subject_id, "session": batch.session_id}
    return {"signal": batch.signal.float().cpu().numpy()} | {k: v.cpu().numpy() for k, v in ids.items()} | targets


def _thinned(parts: list[dict[str, ndarray]], limit: int) -> dict[str, ndarray]:
    """One part, in order, of the `limit` windows with the smallest hash."""
    ids = np.concatenate([part["window_id"] for part in parts])
    # Fibonacci hashing: neighbouring ids land far apart, so no rhythm in the order of labels can be hit
    mixed = (ids.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(11)
    mixed = (mixed ^ (mixed >> np.uint64(23))) * np.uint64(0xD6E8FEB86659FD93)
    keep = np.argsort(mixed, kind="stable")[:limit] if len(ids) > limit else np.arange(len(ids))
    keep = keep[np.argsort(ids[keep], kind="stable")]
    return {key: np.concatenate([part[key] for part in parts])[keep] for key in parts[0]}
