"""Co-smoothing: how well units that the model is not shown are predicted from those that it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor

from brainfm.evaluators.base import Evaluator, Labels
from brainfm.statistics.folds import over_folds
from brainfm.statistics.spike_counts import counted
from brainfm.statistics.spike_likelihood import GLM, MeanRate, Timeline, log_likelihood
from data_loaders.contracts import SCORE_COLUMNS, Batch, Events, Scores

TARGET = "held-out units"


class CoSmoothing(Evaluator):
    """Poisson bits per spike of held-out units over their mean rates, from the spikes of all other units.

    Every `every`-th unit of a session is held out: its spikes are taken from what the model sees, which was trained on all
    of them, and its one-step rates are judged. Beside it stands a GLM on the same units' history, fitted on at most
    `max_windows` training windows. As everywhere here rates know what came before their bin alone; the Neural Latents
    Benchmark also shows what the held-in units do in the bin and after it, so its values are higher.
    Reference: Pei et al. 2021, https://arxiv.org/abs/2109.04463 (section 3, equation 2)
    """

    def __init__(
        self,
        every: int = 4,
        current_seconds: float = 0.05,
        past_seconds: float = 0.15,
        bin: float = 0.01,
        max_windows: int = 20_000,
    ) -> None:
        if every < 2:
            raise ValueError(f"every is {every}, and some units must be shown: hold out every 2nd, or fewer")
        self.every, self.bin, self.past_seconds, self.max_windows = every, bin, past_seconds, max_windows
        self.n_bins, self.n_lags = round(current_seconds / bin), round(past_seconds / bin)

    def begin(self, model: str, targets: Sequence[Labels], facts: Mapping[str, Any]) -> None:
        if "n_units" not in facts:
            raise ValueError("the data have no field of spikes: name fields `past` and `current` with `source: spikes`")
        self._model, self._sets, self._n_units = model, list(facts["set_of"]), list(facts["n_units"])
        self._seen: list[tuple[ndarray, Timeline]] = []
        self._rates: list[ndarray] = []

    def update(self, prediction: dict[str, Tensor], batch: Batch) -> None:
        """The model is asked again, without the held-out units."""

    @torch.no_grad()
    def probe(self, objective: Any, batches: Iterable[Batch]) -> None:
        for batch in batches:
            hidden = replace(batch, events={name: self._without(events) for name, events in batch.events.items()})
            prediction = objective.predict(hidden)
            if "spikes" not in prediction:
                raise ValueError(
                    f"the objective predicts {sorted(prediction)}, and CoSmoothing needs 'spikes': take SpikePrediction with "
                    "rates one_step"
                )
            self._rates.append(prediction["spikes"].float().cpu().numpy().reshape(len(batch), -1, self.n_bins))
            self._seen.append(self._timeline(batch))

    def fit_baselines(self, train: Iterable[Batch], test: Iterable[Batch]) -> None:
        known = [self._timeline(batch) for batch in train]
        which, seen = _joined(known)
        step = max(1, -(-len(which) // self.max_windows))
        which, seen = which[::step], seen.part(slice(None, None, step))
        if step > 1:
            print(f"co-smoothing: its GLM is fitted on every {step}th training window")
        sets, asked = _joined(self._seen)
        rates, told = np.concatenate(self._rates), []
        for one in np.unique(sets):
            n, own = self._n_units[one], sets == one
            out = self.held_out(n)
            glm = GLM(shown=np.setdiff1d(np.arange(n), out), told=out).fit(seen.part(which == one, n))
            test_part, mean = asked.part(own, n), MeanRate().fit(seen.part(which == one, n))
            made = {self._model: rates[own][:, out], "GLM": glm.predict(test_part)}
            told.append(_likelihoods(test_part.counts[:, out], mean.predict(test_part)[:, out], made))
            self._chosen = glm.chosen
        total = {name: sum(part[name] for part in told) for name in told[0]}
        self._n = int(total["n"])
        self._bits = {
            name: (total[name] - total["null"]) / (np.log(2) * max(self._n, 1)) for name in (self._model, "GLM")
        }

    def compute(self, table: pd.DataFrame) -> Scores:
        about = {"target": TARGET, "subject": "all", "fold": table["fold"].iloc[0], "seed": table["seed"].iloc[0]}
        rows = pd.DataFrame(
            [
                {**about, "model": name, "metric": "bits_per_spike", "value": value, "chance": 0.0, "ceiling": np.nan,
                 "baseline": self._bits["GLM"], "n_samples": self._n, "chosen": self._chosen if name == "GLM" else ""}
                for name, value in self._bits.items()
            ]
        )  # fmt: skip
        return Scores(
            rows[[*SCORE_COLUMNS, "chosen"]], rows[["model", "target", "metric", "value", "n_samples"]].copy()
        )

    @property
    def predictions(self) -> pd.DataFrame:
        return pd.DataFrame({"window_id": [], "model": [], "target": []}).set_index("window_id")

    def summarise(self, predictions: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
        mine = rows[rows["target"] == TARGET]
        return over_folds(mine, "spike of a held-out unit", "every unit at its mean rate in training")

    def held_out(self, n_units: int) -> Int[ndarray, "unit"]:
        """The units of a session that are not shown."""
        return np.arange(self.every - 1, n_units, self.every)

    def _without(self, events: Events) -> Events:
        # the last of every `every`
        shown = events.channel % self.every != self.every - 1
        return replace(events, mask=events.mask & shown)

    def _timeline(self, batch: Batch) -> tuple[ndarray, Timeline]:
        n = max(self._n_units)
        current = counted(batch.events["current"], n, self.n_bins, 0.0, self.bin)
        past = counted(batch.events["past"], n, self.n_lags, -self.past_seconds, self.bin)
        return np.array([self._sets[s] for s in batch.session_id.tolist()]), Timeline(past, current)


def _joined(parts: Sequence[tuple[ndarray, Timeline]]) -> tuple[Int[ndarray, "window"], Timeline]:
    sets, seen = zip(*parts, strict=True)
    past, counts = (np.concatenate([getattr(one, name) for one in seen]) for name in ("past", "counts"))
    return np.concatenate(sets), Timeline(past, counts)


def _likelihoods(
    counts: Float[ndarray, "window unit bin"], null: Float[ndarray, "window unit bin"], made: Mapping[str, ndarray]
) -> dict[str, float]:
    """The log likelihood of each model, of the mean rates, and the number of spikes."""
    found = {name: float(log_likelihood(counts, rates).sum()) for name, rates in made.items()}
    return found | {"null": float(log_likelihood(counts, null).sum()), "n": float(counts.sum())}
