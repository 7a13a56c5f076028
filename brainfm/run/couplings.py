"""A finished run of a model of spikes, asked who drives whom: attention beside cross-correlation and a GLM, pair by pair."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float
from numpy import ndarray
from rich.progress import track

from brainfm.encoders.neuroformer import Neuroformer
from brainfm.nn.attended import attended
from brainfm.objectives.spike_prediction import SpikePrediction
from brainfm.recipe import Recipe
from brainfm.run.predict import reopened, restored
from brainfm.run.rejudged import predicting
from brainfm.run.tables import checked
from brainfm.statistics.couplings import connection_auroc, cross_correlation, direction_accuracy, glm_couplings
from data_loaders.contracts import Batch
from data_loaders.datamodule import Data
from data_loaders.unit_sets import known_connections

TABLE, SCORES = "couplings", "coupling_scores.csv"
GUESSES = ("looked", "through", "cross_correlation", "glm")


def couplings(path: Path, fold: int | None = None, max_windows: int = 20_000) -> pd.DataFrame:
    """How much each unit drives each other, into couplings.parquet and .csv of the run folder; one row per pair.

    Columns: fold, recording_name (the first of those that share the units), pre and post (names of units); `looked` and `through`,
    two readings of attention in the test part (`brainfm.nn.attended`); `cross_correlation` and `glm` from at most `max_windows`
    windows of the training part; `connected` where the recordings say who drives whom, and then coupling_scores.csv has AUROC
    and direction accuracy (chance 0.5) of each. Raises ValueError where the run has no model that looks at spikes.
    """
    run, recipe = reopened(path, predicting(path, (), elsewhere=False))
    tables = []
    for number in checked(fold, len(recipe.data.folds)):
        objective = restored(recipe, run, number)
        if not isinstance(objective, SpikePrediction) or not isinstance(objective.encoder, Neuroformer):
            raise ValueError(f"{path} has no attention among spikes: fit a SpikePrediction with a Neuroformer")
        tables += [table.assign(fold=number) for table in _sets(recipe, objective.eval(), number, max_windows)]
    table = pd.concat(tables, ignore_index=True)
    run.save_table(f"{TABLE}.parquet", table)
    print(f"couplings: {len(table):,} pairs in {run.save_table(f'{TABLE}.csv', table)} and .parquet")
    if "connected" in table.columns:
        scores = scored(table)
        print(
            scores.groupby("guess", sort=False)[["auroc", "direction"]].agg(["mean", "min", "max"]).round(3).to_string()
        )
        print(f"scores: {run.save_table(SCORES, scores)} (chance 0.5)")
    return table


def scored(table: pd.DataFrame) -> pd.DataFrame:
    """AUROC and direction accuracy of each guess, in each fold and set of units."""
    rows = []
    for (fold, name), part in table.groupby(["fold", "recording_name"], sort=False):
        for guess in GUESSES:
            values, connected = (_square(part, key) for key in (guess, "connected"))
            truth = connected.astype(bool)
            rows.append(
                (fold, name, guess, connection_auroc(values, truth), direction_accuracy(values, truth), len(truth))
            )
    return pd.DataFrame(rows, columns=["fold", "recording_name", "guess", "auroc", "direction", "n_units"])


def _sets(recipe: Recipe, objective: SpikePrediction, number: int, max_windows: int) -> Iterable[pd.DataFrame]:
    """A table for each set of units that is tested."""
    data = recipe.data
    facts = data.facts()
    set_of, n_units = np.asarray(facts["set_of"]), facts["n_units"]
    test = _by_set(track(data.part("test"), f"fold {number}: attention", transient=True), set_of)
    train = _by_set(data.part("train", at_most=max_windows), set_of)
    for one, batches in track(test.items(), f"fold {number}: baselines", transient=True):
        found = attended(objective, batches)
        guesses = {"looked": found.looked.numpy(), "through": found.through.numpy()}
        if one in train:
            counts = np.concatenate([_counted(objective, batch) for batch in train[one]])[..., : n_units[one]]
            guesses |= {"cross_correlation": cross_correlation(counts), "glm": glm_couplings(counts)}
        yield _table(data, int(np.flatnonzero(set_of == one)[0]), n_units[one], guesses)


def _by_set(batches: Iterable[Batch], set_of: ndarray) -> Mapping[int, list[Batch]]:
    found: dict[int, list[Batch]] = {}
    for batch in batches:
        sets = torch.from_numpy(set_of)[batch.session_id]
        for one in sets.unique().tolist():
            found.setdefault(one, []).append(batch.rows(sets == one))
    return found


def _counted(objective: SpikePrediction, batch: Batch) -> Float[ndarray, "window bin unit"]:
    """Counts of the past and the window, one after the other."""
    encoder = objective.encoder
    assert isinstance(encoder, Neuroformer)
    past = encoder.past.decode(encoder.past.encode(batch.events["past"], -encoder.past.seconds))
    now = encoder.current.decode(encoder.read(batch))
    return torch.cat([past, now], 2).mT.double().numpy()


def _table(data: Data, recording: int, n: int, guesses: Mapping[str, ndarray]) -> pd.DataFrame:
    entry = data.store.entry(recording)
    pre, post = np.nonzero(~np.eye(n, dtype=bool))
    names = np.array(entry.ch_names, dtype=object)
    table = pd.DataFrame({"recording_name": entry.name, "pre": names[pre], "post": names[post]})
    table = table.assign(**{name: guess[:n, :n][pre, post] for name, guess in guesses.items()})
    known: Bool[ndarray, "pre post"] | None = known_connections(entry)
    return table if known is None else table.assign(connected=known[pre, post])


def _square(part: pd.DataFrame, column: str) -> ndarray:
    """A column as [pre, post]; nobody drives themselves."""
    n = round((1 + np.sqrt(1 + 4 * len(part))) / 2)
    found = np.zeros((n, n))
    found[~np.eye(n, dtype=bool)] = part[column].to_numpy()
    return found
