"""Rollouts: whether spikes that the model writes from its own past fire as the recorded ones do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor

from brainfm.evaluators.base import Evaluator, Labels
from brainfm.generate.rollout import rollout
from brainfm.nn.sampling import Sampling
from brainfm.statistics.ceilings import longer
from brainfm.statistics.folds import over_folds
from brainfm.statistics.spike_counts import Firing, agreement, counted
from data_loaders.contracts import SCORE_COLUMNS, Batch, Events, Scores

TARGET = "rollouts"
_METRICS = {"rate": "rates_r", "fano": "fano_r", "pairs": "pairs_r"}


class Rollouts(Evaluator):
    """Pearson's r between generated and recorded spikes: of units' rates, of their Fano factors, and of the correlations of pairs.

    The test part is cut into stretches of `n_windows` consecutive windows, at most `max_stretches`, evenly spaced. Of each the
    model sees the past before the first window; then it writes all windows from its own past. Counts are in bins of
    `count_seconds`. The ceiling is what one half of the recorded stretches says of the other, corrected to all of them
    (Spearman and Brown); beside the model stand Poisson spikes at each unit's rate in training. `chosen` has the means.
    """

    def __init__(
        self,
        n_windows: int = 20,
        max_stretches: int = 128,
        count_seconds: float = 0.1,
        current_seconds: float = 0.05,
        temperature: float = 1.0,
        top_p: float | None = None,
        seed: int = 0,
    ) -> None:
        if n_windows * current_seconds < 2 * count_seconds:
            raise ValueError(
                f"{n_windows} windows of {current_seconds:g} s hold fewer than two counts of {count_seconds:g} s: raise n_windows"
            )
        self.n_windows, self.max_stretches, self.seed = n_windows, max_stretches, seed
        self.count_seconds, self.seconds = count_seconds, current_seconds
        self.sampling = Sampling(temperature=temperature, top_p=top_p)

    def begin(self, model: str, targets: Sequence[Labels], facts: Mapping[str, Any]) -> None:
        if "n_units" not in facts:
            raise ValueError("the data have no field of spikes: name fields `past` and `current` with `source: spikes`")
        self._model, self._sets, self._n_units = model, list(facts["set_of"]), list(facts["n_units"])
        self._counts: dict[str, ndarray] = {}

    def update(self, prediction: dict[str, Tensor], batch: Batch) -> None:
        """What is judged is written afterwards."""

    @torch.no_grad()
    def probe(self, objective: Any, batches: Iterable[Batch]) -> None:
        whole = _together(list(batches))
        rows = stretches(whole.window_id.cpu().numpy(), self.n_windows)
        if len(rows) < 4:
            raise ValueError(
                f"the test part has {len(rows)} stretches of {self.n_windows} consecutive windows, and halves need 4: lower n_windows"
            )
        kept = rows[np.unique(np.linspace(0, len(rows) - 1, self.max_stretches).round().astype(int))]
        if len(kept) < len(rows):
            print(f"rollouts: {len(kept)} of {len(rows)} stretches of {self.n_windows} windows, evenly spaced")
        windows = [whole.rows(torch.from_numpy(kept[:, k])) for k in range(self.n_windows)]
        written = rollout(objective, windows, self.sampling, seed=self.seed)
        recorded = _in_row([window.events["current"] for window in windows], self.seconds)
        self._set = np.array([self._sets[one] for one in windows[0].session_id.tolist()])
        self._counts = {self._model: self._counted(written.events), "recorded": self._counted(recorded)}

    def fit_baselines(self, train: Iterable[Batch], test: Iterable[Batch]) -> None:
        n, total = max(self._n_units), np.zeros((len(self._n_units), max(self._n_units)))
        n_windows = np.zeros(len(self._n_units))
        for batch in train:
            which = np.array([self._sets[s] for s in batch.session_id.tolist()])
            counts = counted(batch.events["current"], n, 1, 0.0, self.seconds)[..., 0]
            np.add.at(total, which, counts)
            np.add.at(n_windows, which, 1)
        rate = total / np.maximum(n_windows, 1)[:, None] * (self.count_seconds / self.seconds)
        expected = np.broadcast_to(rate[self._set][..., None], self._counts["recorded"].shape)
        self._counts["Poisson"] = np.random.default_rng(self.seed).poisson(expected).astype(np.float32)

    def compute(self, table: pd.DataFrame) -> Scores:
        if not self._counts:
            raise ValueError("nothing was written: call probe with the trained model and the test part")
        about = {"target": TARGET, "subject": "all", "fold": table["fold"].iloc[0], "seed": table["seed"].iloc[0]}
        said = {name: self._firing(name) for name in self._counts}
        early, late = self._firing("recorded", slice(0, None, 2)), self._firing("recorded", slice(1, None, 2))
        rows = []
        for key, metric in _METRICS.items():
            truth = said["recorded"][key]
            halves = longer(np.array([max(agreement(early[key], late[key]), 0.0)]), 2.0)[0]
            scores = {name: agreement(said[name][key], truth) for name in (self._model, "Poisson")}
            rows += [
                {**about, "model": name, "metric": metric, "value": value, "chance": 0.0, "baseline": scores["Poisson"],
                 "ceiling": float(np.sqrt(halves)), "n_samples": len(self._set), "chosen": self._told(said[name], said["recorded"])}
                for name, value in scores.items()
            ]  # fmt: skip
        scored = pd.DataFrame(rows)
        return Scores(scored[[*SCORE_COLUMNS, "chosen"]], scored[["model", "target", "metric", "value", "n_samples"]])

    @property
    def predictions(self) -> pd.DataFrame:
        return pd.DataFrame({"window_id": [], "model": [], "target": []}).set_index("window_id")

    def summarise(self, predictions: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
        return over_folds(rows[rows["target"] == TARGET], "stretch of the test part", "no relation")

    def _counted(self, events: Events) -> Float[ndarray, "window unit bin"]:
        n = int(self.n_windows * self.seconds / self.count_seconds + 1e-6)
        whole = replace(events, mask=events.mask & (events.time < n * self.count_seconds))
        return counted(whole, max(self._n_units), n, 0.0, self.count_seconds)

    def _firing(self, name: str, rows: slice = slice(None)) -> dict[str, ndarray]:
        """Of all sets of units, one after another."""
        counts, of = self._counts[name][rows], self._set[rows]
        parts = [Firing.of(counts[of == one][:, : self._n_units[one]]) for one in np.unique(of)]
        return {key: np.concatenate([getattr(part, key) for part in parts]) for key in _METRICS}

    def _told(self, mine: Mapping[str, ndarray], truth: Mapping[str, ndarray]) -> str:
        per_second = 1 / self.count_seconds
        pairs = [(name, np.nanmean(mine[name]), np.nanmean(truth[name])) for name in _METRICS]
        factors = {"rate": per_second, "fano": 1.0, "pairs": 1.0}
        words = {"rate": "spikes/s", "fano": "Fano", "pairs": "pairwise r"}
        return "; ".join(f"{words[k]} {a * factors[k]:.3f}, recorded {b * factors[k]:.3f}" for k, a, b in pairs)


def stretches(window_id: Int[ndarray, "window"], n: int) -> Int[ndarray, "stretch place"]:
    """Positions of consecutive windows, n at a time: ids grow with time, by the most frequent step.

    >>> stretches(np.array([0, 50, 100, 150, 300, 350]), 2)
    array([[0, 1],
           [2, 3],
           [4, 5]])
    """
    order = np.argsort(window_id)
    steps = np.diff(window_id[order])
    stride = np.bincount(steps[steps < 2**30]).argmax() if (steps < 2**30).any() else 0
    runs = np.split(order, np.flatnonzero(steps != stride) + 1)
    found = [run[k : k + n] for run in runs for k in range(0, len(run) - n + 1, n)]
    return np.array(found, dtype=np.int64).reshape(-1, n)


def _together(parts: Sequence[Batch]) -> Batch:
    """Batches as one, without signal and targets; events are padded to the longest."""
    first = parts[0]
    ids = ("sfreq", "ch_positions", "ch_mask", "time_mask", "subject_id", "session_id", "window_id", "seed")
    whole: dict[str, Any] = {name: torch.cat([getattr(part, name) for part in parts]) for name in ids}
    streams = {
        name: replace(of, **{key: torch.cat([getattr(part.streams[name], key) for part in parts]) for key in vars(of)})
        for name, of in first.streams.items()
    }
    events = {name: _padded([part.events[name] for part in parts]) for name in first.events}
    return replace(first, signal=None, targets={}, streams=streams, events=events, n_views=1, **whole)


def _padded(parts: Sequence[Events]) -> Events:
    longest = max(part.mask.shape[1] for part in parts)
    return Events(
        *(
            torch.cat([F.pad(getattr(part, key), (0, longest - part.mask.shape[1])) for part in parts])
            for key in ("channel", "time", "mask")
        )
    )


def _in_row(steps: Sequence[Events], seconds: float) -> Events:
    """The spikes of consecutive windows, timed from the first one's anchor."""
    moved = [replace(events, time=events.time + k * seconds) for k, events in enumerate(steps)]
    return Events(*(torch.cat([getattr(one, key) for one in moved], 1) for key in ("channel", "time", "mask")))
