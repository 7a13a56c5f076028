"""PSTH correlation: whether predicted rates, averaged over trials, rise and fall as each unit's spikes do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy import ndarray
from torch import Tensor

from brainfm.evaluators.base import Evaluator, Labels
from brainfm.statistics.folds import over_folds
from brainfm.statistics.psth import Trials, correlation
from brainfm.statistics.spike_counts import counted
from data_loaders.contracts import SCORE_COLUMNS, Batch, Scores

TARGET, _NAMES = "PSTH", ("spikes", "spikes_ahead")


class PSTH(Evaluator):
    """The mean over units of Pearson's r between predicted and observed peri-stimulus time histograms, beside its ceiling.

    Windows lie within events (`Tile` with `trial_type`). Histograms are over `step` seconds from `start` to `stop` around the
    event's column `align` (a time in the recording, such as `onset` or a cue's), one for each value of its column
    `condition` (none for ""), joined; trials without that time are left out, which is printed. The ceiling comes from halves
    of the trials (`brainfm.statistics.psth`). Chance is none at all: 0. Units whose halves do not correlate are left out
    of both, and counted in `chosen`.
    """

    def __init__(
        self,
        align: str = "onset",
        condition: str = "trial_type",
        start: float = -0.2,
        stop: float = 0.8,
        step: float = 0.05,
        current_seconds: float = 0.05,
        bin: float = 0.01,
    ) -> None:
        if stop <= start or step < bin:
            raise ValueError(
                f"[{start:g}, {stop:g}) in steps of {step:g} s: stop must lie after start, step not below bin"
            )
        self.align, self.condition, self.start, self.step, self.bin = align, condition, start, step, bin
        self.n_steps, self.n_bins = round((stop - start) / step), round(current_seconds / bin)

    def begin(self, model: str, targets: Sequence[Labels], facts: Mapping[str, Any]) -> None:
        if "n_units" not in facts:
            raise ValueError("the data have no field of spikes: name fields `past` and `current` with `source: spikes`")
        self._model, self._n_units = model, max(facts["n_units"])
        self._parts: list[tuple[ndarray, ndarray, ndarray]] = []

    def update(self, prediction: dict[str, Tensor], batch: Batch) -> None:
        name = next((name for name in _NAMES if name in prediction), None)
        if name is None:
            raise ValueError(f"the objective predicts {sorted(prediction)}, and PSTH needs one of {list(_NAMES)}")
        rates = prediction[name].float().cpu().numpy().reshape(len(batch), -1, self.n_bins)
        truth = counted(batch.events["current"], self._n_units, self.n_bins, 0.0, self.bin)
        self._parts.append((batch.window_id.cpu().numpy(), rates, truth))

    def fit_baselines(self, train: Iterable[Batch], test: Iterable[Batch]) -> None:
        """What there is to compare with is the ceiling."""

    def compute(self, table: pd.DataFrame) -> Scores:
        missing = [name for name in (self.align, self.condition) if name and name not in table.columns]
        if missing:
            raise ValueError(
                f"windows have no column {missing[0]!r}, they have {sorted(table.columns)}: cut them with "
                "Tile(stride, trial_type='*'), which carries the event's columns, and name one of those"
            )
        ids, rates, truth = (np.concatenate(part) for part in zip(*self._parts, strict=True))
        rows = table.reindex(ids)
        place = (
            (rows["onset_s"] - rows[self.align].astype(float)).to_numpy()[:, None] + self.bin * np.arange(self.n_bins)
        ) - self.start
        known = np.isfinite(place[:, 0])
        if not known.all():
            print(
                f"PSTH: {(~known).sum():,} of {len(known):,} test windows are of trials without {self.align}: left out"
            )
        if not known.any():
            raise ValueError(f"no test window's trial has a time in {self.align!r}: name another column in align")
        said, seen = (self._trials(values[known], rows[known], place[known]) for values in (rates, truth))
        return self._scores(table, correlation(said.histogram(), seen.histogram()), seen)

    @property
    def predictions(self) -> pd.DataFrame:
        return pd.DataFrame({"window_id": [], "model": [], "target": []}).set_index("window_id")

    def summarise(self, predictions: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
        return over_folds(rows[rows["target"] == TARGET], "unit of a fold's test part", "no relation")

    def _trials(self, values: ndarray, rows: pd.DataFrame, place: ndarray) -> Trials:
        who = rows[["recording_name", self.align]].apply(tuple, axis=1)
        of = rows[self.condition].astype(str) if self.condition else pd.Series("", index=rows.index)
        trial, condition = (np.repeat(pd.factorize(column)[0], self.n_bins) for column in (who, of))
        # a bin on the edge of a step belongs to the step that begins there
        step = np.floor(place.reshape(-1) / self.step + 1e-6).astype(int)
        flat = values.transpose(0, 2, 1).reshape(-1, values.shape[1])
        return Trials.of(flat, trial, step, condition, self.n_steps)

    def _scores(self, table: pd.DataFrame, found: ndarray, seen: Trials) -> Scores:
        ceiling = seen.ceiling()
        known = np.isfinite(found) & np.isfinite(ceiling)
        told = f"{known.sum()} of {len(known)} units, {len(seen.condition)} trials, {len(np.unique(seen.condition))} conditions"
        row = {
            "model": self._model, "target": TARGET, "metric": "psth_r", "subject": "all", "fold": table["fold"].iloc[0],
            "seed": table["seed"].iloc[0], "value": float(found[known].mean()) if known.any() else np.nan, "chance": 0.0,
            "baseline": np.nan, "ceiling": float(ceiling[known].clip(max=1).mean()) if known.any() else np.nan,
            "n_samples": len(seen.condition), "chosen": told,
        }  # fmt: skip
        rows = pd.DataFrame([row])
        return Scores(rows[[*SCORE_COLUMNS, "chosen"]], rows[["model", "target", "metric", "value", "n_samples"]])
