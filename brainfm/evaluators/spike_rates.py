"""Spike rates: how many bits a spike the model's expected counts save, beside rates read from the same past."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor

from brainfm.evaluators.base import Evaluator, Labels
from brainfm.statistics import ratio
from brainfm.statistics.predictions import WINDOW_COLUMNS
from brainfm.statistics.spike_counts import counted
from brainfm.statistics.spike_likelihood import GLM, MeanRate, SmoothedRate, Timeline, log_likelihood
from data_loaders.contracts import SCORE_COLUMNS, Batch, Scores

# what rates may know, by the name that they are predicted under: all before the bin, or all before the window
_AHEAD, _METRICS = {"spikes": False, "spikes_ahead": True}, ("bits_per_spike", "rate_r")


class SpikeRates(Evaluator):
    """Poisson bits per spike over the mean rates of the training part, and the correlation of rates with counts.

    It judges expected counts [unit, bin] in the window of the field `current`: `spikes`, which know what happened before each
    bin, or `spikes_ahead`, which know what happened before the window. Baselines know the same, `past_seconds` back: the mean
    rate (which is chance: 0 bits), a smoothed rate and a GLM, fitted on at most `max_windows` training windows. (In the
    window's later bins the model looks back to the same start, so up to a window further.) `rate_r` is the mean over units
    of Pearson's r, over bins, between expected and observed counts. `bin` and the windows' lengths are in seconds, as in
    the encoder. Reference: Pei et al. 2021, https://arxiv.org/abs/2109.04463 (equation 2).
    """

    def __init__(
        self,
        current_seconds: float = 0.05,
        past_seconds: float = 0.15,
        bin: float = 0.01,
        max_windows: int = 20_000,
        n_bootstraps: int = 2000,
    ) -> None:
        self.n_bins, self.n_lags, self.bin = round(current_seconds / bin), round(past_seconds / bin), bin
        self.past_seconds, self.max_windows, self.n_bootstraps = past_seconds, max_windows, n_bootstraps

    def begin(self, model: str, targets: Sequence[Labels], facts: Mapping[str, Any]) -> None:
        if "n_units" not in facts:
            raise ValueError("the data have no field of spikes: name fields `past` and `current` with `source: spikes`")
        self._model, self._sets, self._n_units = model, list(facts["set_of"]), list(facts["n_units"])
        self._test: list[dict[str, ndarray]] = []
        self._beside: dict[str, list[ndarray]] = {}
        self._chosen: dict[str, str] = {}

    def update(self, prediction: dict[str, Tensor], batch: Batch) -> None:
        found = [name for name in _AHEAD if name in prediction]
        if not found:
            raise ValueError(
                f"the objective predicts {sorted(prediction)}, and SpikeRates needs {' or '.join(map(repr, _AHEAD))}: take "
                f"SpikePrediction with rates one_step or rollout"
            )
        self._target = found[0]
        rates = prediction[self._target].cpu().numpy().reshape(len(batch), -1, self.n_bins)
        part = self._counted(batch)
        if rates.shape[1] != part["counts"].shape[1]:
            raise ValueError(
                f"rates are of {rates.shape[1]} units in {self.n_bins} bins, the data have {part['counts'].shape[1]} units: "
                f"give current_seconds and bin as the encoder has them"
            )
        self._test.append(part | {"rates": rates})

    def fit_baselines(self, train: Iterable[Batch], test: Iterable[Batch]) -> None:
        known = self._gathered([self._counted(batch) for batch in train])
        mine, ahead = _joined(self._test), _AHEAD[self._target]
        made = {name: np.zeros(mine["rates"].shape) for name in ("mean rate", "smoothed rate", "GLM")}
        for one in np.unique(mine["set"]):
            if one not in known["set"]:
                raise ValueError(
                    f"set {one} of units is tested and not in the training part: split within sessions, by TimeBlock"
                )
            n, own = self._n_units[one], mine["set"] == one
            seen, asked = (
                Timeline(part["past"], part["counts"], ahead).part(part["set"] == one, n) for part in (known, mine)
            )
            for baseline in (MeanRate(), SmoothedRate(), GLM()):
                made[baseline.name][own, :n] = baseline.fit(seen).predict(asked)
                self._chosen[baseline.name] = baseline.chosen
        self._beside = {name: [rates] for name, rates in made.items()}

    def compute(self, table: pd.DataFrame) -> Scores:
        mine = _joined(self._test)
        windows = table.rename_axis("window_id").reset_index()
        windows = windows.assign(**{name: "" for name in WINDOW_COLUMNS if name not in windows.columns})
        order = pd.Index(mine["id"]).get_indexer(windows["window_id"])
        if len(windows) != len(mine["id"]) or (order < 0).any():
            raise ValueError("test windows and predictions differ: give update each batch of the test part once")
        mine = {name: values[order] for name, values in mine.items()}
        rates = {self._model: mine["rates"]} | {name: of[0][order] for name, of in self._beside.items()}
        null = log_likelihood(mine["counts"], rates.get("mean rate", mine["rates"]))
        about, spikes = windows[list(WINDOW_COLUMNS)], mine["counts"].sum((1, 2))
        parts = [
            about.assign(
                model=name,
                target=self._target,
                gain=(log_likelihood(mine["counts"], of) - null) / np.log(2),
                n_spikes=spikes,
            )
            for name, of in rates.items()
        ]
        self._table = pd.concat(parts, ignore_index=True)
        rows = self._rows(about, rates, mine)
        return Scores.of(rows)

    @property
    def predictions(self) -> pd.DataFrame:
        """One row per test window and model: `gain` in bits over the mean rate, of `n_spikes`."""
        return self._table.set_index("window_id")

    def summarise(self, predictions: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
        rows = rows[rows["target"].isin(_AHEAD)]
        ours, target = str(rows["model"].iloc[0]), str(rows["target"].iloc[0])
        table = predictions[predictions["target"] == target].reset_index()
        windows = table[table["model"] == ours].sort_values(["subject", "fold", "recording_name", "onset_s"])
        cluster = ratio.clusters_of(windows, target)
        keys = pd.MultiIndex.from_frame(windows[["fold", "window_id"]])
        of = {m: part.set_index(["fold", "window_id"]).loc[keys] for m, part in table.groupby("model", sort=False)}
        bits = [self._bits(model, part, of[ours], windows, cluster) for model, part in of.items()]
        others = rows[rows["metric"] == "rate_r"].groupby("model", sort=False)["value"].mean()
        empty = {
            name: np.nan
            for name in ("low", "high", "chance_high", "p", "difference", "effect", "p_wilcoxon", "p_sign_flip")
        }
        rest = [
            {**bits[i], **empty, "metric": "rate_r", "value": others[row["model"]], "interval": "none: the mean over units",
             "paired": ""}
            for i, row in enumerate(bits)
        ]  # fmt: skip
        return pd.DataFrame(bits + rest)

    def _bits(
        self, model: str, part: pd.DataFrame, ours: pd.DataFrame, windows: pd.DataFrame, cluster: Any
    ) -> dict[str, Any]:
        gain, spikes = part["gain"].to_numpy(), part["n_spikes"].to_numpy()
        each = ratio.per_subject(gain, spikes, windows["subject"].to_numpy())
        low, high = ratio.interval(gain, spikes, windows, cluster, self.n_bootstraps)
        lead = ours["gain"].to_numpy() - gain
        apart = ratio.interval(lead, spikes, windows, cluster, self.n_bootstraps)
        told = "" if part is ours else f"95 % interval of the lead {apart[0]:.4f} to {apart[1]:.4f}"
        return {
            "model": model, "target": windows["target"].iloc[0], "metric": "bits_per_spike", "value": float(np.nanmean(each)),
            "low": low, "high": high,
            "chance": 0.0, "chance_high": np.nan, "p": np.nan, "n_subjects": len(each), "n_samples": int(spikes.sum()),
            "level": "subject", "interval": f"expanded percentile bootstrap over {cluster.name} ({self.n_bootstraps} resamples)",
            "null": "every unit at its mean rate in training", "difference": float(lead.sum() / max(spikes.sum(), 1)),
            "effect": np.nan, "p_wilcoxon": np.nan, "p_sign_flip": np.nan, "paired": told, "chosen": self._chosen_of(model),
        }  # fmt: skip

    def _chosen_of(self, model: str) -> str:
        return getattr(self, "_chosen", {}).get(model, "")

    def _counted(self, batch: Batch) -> dict[str, ndarray]:
        """Counts of the window [unit, bin] and of its past [unit, lag]."""
        n = max(self._n_units)
        return {
            "id": batch.window_id.cpu().numpy(),
            "set": np.array([self._sets[s] for s in batch.session_id.tolist()]),
            "counts": counted(batch.events["current"], n, self.n_bins, 0.0, self.bin),
            "past": counted(batch.events["past"], n, self.n_lags, -self.past_seconds, self.bin),
        }

    def _gathered(self, parts: list[dict[str, ndarray]]) -> dict[str, ndarray]:
        whole = _joined(parts)
        if len(whole["id"]) <= self.max_windows:
            return whole
        print(f"baselines: fitted on {self.max_windows:,} of {len(whole['id']):,} training windows, evenly spaced")
        keep = np.linspace(0, len(whole["id"]) - 1, self.max_windows).round().astype(int)
        return {name: values[keep] for name, values in whole.items()}

    def _rows(self, about: pd.DataFrame, rates: Mapping[str, ndarray], mine: Mapping[str, ndarray]) -> pd.DataFrame:
        found = []
        spikes = mine["counts"].sum((1, 2))
        for (subject, fold, seed), index in about.groupby(["subject", "fold", "seed"], sort=False).indices.items():
            for model in rates:
                gain = self._table[self._table["model"] == model]["gain"].to_numpy()[index]
                values = (gain.sum() / max(spikes[index].sum(), 1), _rate_r(rates[model][index], mine["counts"][index]))
                who = {"model": model, "target": self._target, "subject": str(subject), "fold": fold, "seed": seed}
                found += [
                    {**who, "metric": metric, "value": value, "chance": 0.0, "ceiling": np.nan, "n_samples": len(index),
                     "chosen": self._chosen.get(model, "")}
                    for metric, value in zip(_METRICS, values, strict=True)
                ]  # fmt: skip
        rows = pd.DataFrame(found)
        best = (
            rows[rows["model"].isin(["smoothed rate", "GLM"])]
            .groupby(["subject", "fold", "seed", "metric"])["value"]
            .max()
        )
        rows = rows.join(best.rename("baseline"), on=["subject", "fold", "seed", "metric"])
        return rows[[*SCORE_COLUMNS, "chosen"]]


def _joined(parts: list[dict[str, ndarray]]) -> dict[str, ndarray]:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _rate_r(rates: Float[ndarray, "window unit bin"], counts: Float[ndarray, "window unit bin"]) -> float:
    """The mean over units of the correlation, over bins, of expected with observed counts; constant units say nothing."""
    expected, observed = (values - values.mean((0, 2), keepdims=True) for values in (rates, counts))
    below = np.sqrt((expected**2).sum((0, 2)) * (observed**2).sum((0, 2)))
    each = np.divide((expected * observed).sum((0, 2)), below, out=np.full(len(below), np.nan), where=below > 1e-9)
    return float(np.nanmean(each)) if np.isfinite(each).any() else 0.0
