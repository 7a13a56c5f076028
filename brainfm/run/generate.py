"""A finished run of a model of spikes, run forward: rollouts from its test part, as a table of spikes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from brainfm.encoders.base import SpikeEncoder
from brainfm.evaluators.rollouts import stretches
from brainfm.generate.rollout import Rollout, rollout
from brainfm.nn.sampling import Sampling
from brainfm.objectives.spike_prediction import SpikePrediction
from brainfm.recipe import Recipe
from brainfm.run.predict import reopened, restored
from brainfm.run.rejudged import predicting
from brainfm.run.tables import checked
from brainfm.run.train import device_of
from brainfm.systems.training import Training
from data_loaders.contracts import Batch
from data_loaders.datamodule import Data

_ROWS = 64  # stretches that are written at once
TABLE = "rollouts"


@dataclass(frozen=True)
class Plan:
    """`n` rollouts of `n_windows` consecutive windows from each of at most `max_stretches` stretches of a fold's test part.

    Fields of `drop` are not shown to the model, those of `hold` stay as they were in the first window.
    """

    n_windows: int = 20
    n: int = 1
    max_stretches: int = 128
    drop: Sequence[str] = ()
    hold: Sequence[str] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("n_windows", "n", "max_stretches"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}, expected at least 1")


def generate(path: Path, plan: Plan, sampling: Sampling | None = None, fold: int | None = None) -> pd.DataFrame:
    """The spikes that each fold's model writes, into rollouts.parquet and .csv of the run folder; one row per spike.

    Columns: fold, recording_name, subject, stretch, rollout, window_id and onset_s (the window that the spike lies in, and where
    it begins, in seconds of the recording), unit (its name) and time_s (seconds of the recording; the middle of the spike's bin).
    Only the past before a stretch's first window is recorded. Raises ValueError where the run has no model of spikes, or its
    test part no stretch that is long enough.
    """
    run, recipe = reopened(path, predicting(path, (), elsewhere=False))
    tables = []
    for number in checked(fold, len(recipe.data.folds)):
        objective = restored(recipe, run, number)
        if not isinstance(objective, SpikePrediction):
            raise ValueError(f"{path} has a {type(objective).__name__}, which writes no spikes: fit a SpikePrediction")
        tables.append(_fold(recipe, objective, plan, sampling, number).assign(fold=number))
    table = pd.concat(tables, ignore_index=True)[["fold", *tables[0].columns.drop("fold")]]
    run.save_table(f"{TABLE}.parquet", table)
    print(f"rollouts: {len(table):,} spikes in {run.save_table(f'{TABLE}.csv', table)} and .parquet")
    return table


def _fold(
    recipe: Recipe, objective: SpikePrediction, plan: Plan, sampling: Sampling | None, number: int
) -> pd.DataFrame:
    data, device = recipe.data, device_of(Training(**recipe.trainer))
    rows, parts = _stretches(data, plan, _encoder(objective).current.seconds), []
    objective = objective.to(device).eval()
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns) as bar:
        task = bar.add_task(f"fold {number}: windows", total=rows.size * plan.n)
        for first in range(0, len(rows), _ROWS):
            some = rows[first : first + _ROWS]
            for draw in range(plan.n):
                windows = _shown(data, some, device, lambda: bar.advance(task, len(some)))  # noqa: B023
                seed = (plan.seed * 1_009 + draw) * 1_009 + first
                written = rollout(objective, windows, sampling, seed=seed, drop=plan.drop, hold=plan.hold)
                parts.append(_table(data, objective, some, written).assign(rollout=draw))
                parts[-1]["stretch"] += first
    return pd.concat(parts, ignore_index=True)


def _stretches(data: Data, plan: Plan, seconds: float) -> Int[ndarray, "stretch place"]:
    """Positions in the test part; fewer than there are only with a printed line."""
    ids = data.fold.test.ids(np.arange(len(data.fold.test)))
    rows = stretches(ids, plan.n_windows)
    if not len(rows):
        raise ValueError(f"the test part has no {plan.n_windows} consecutive windows: lower n_windows")
    apart = float(np.diff(_onset(data, rows[0])).mean()) if plan.n_windows > 1 else seconds
    if abs(apart - seconds) > 1e-6:
        raise ValueError(
            f"windows begin {apart:g} s apart and the model writes {seconds:g} s: set the stride of data.windows to {seconds:g}"
        )
    kept = rows[np.unique(np.linspace(0, len(rows) - 1, plan.max_stretches).round().astype(int))]
    if len(kept) < len(rows):
        print(
            f"rollouts: {len(kept)} of {len(rows)} stretches of {plan.n_windows} windows, evenly spaced (max_stretches)"
        )
    return kept


def _shown(
    data: Data, rows: Int[ndarray, "stretch place"], device: torch.device, tell: Callable[[], None]
) -> Iterator[Batch]:
    """The k-th window of every stretch, one batch after another."""
    gather = data.gather(data.fold.test)
    for place in rows.T:
        yield gather(place[None]).to(device)
        tell()


def _table(
    data: Data, objective: SpikePrediction, rows: Int[ndarray, "stretch place"], written: Rollout
) -> pd.DataFrame:
    """One row per spike, in the order of stretches and times."""
    events, seconds = written.events, _encoder(objective).current.seconds
    stretch, place = np.nonzero(events.mask.cpu().numpy())
    unit, time = (part.cpu().numpy()[stretch, place] for part in (events.channel, events.time.double()))
    window = rows[stretch, np.minimum((time / seconds).astype(int), rows.shape[1] - 1)]
    start = _onset(data, rows[:, 0])[stretch]
    found = _named(data, window, unit).assign(stretch=stretch, time_s=start + time)
    return found.sort_values(["stretch", "time_s"], kind="stable", ignore_index=True)


def _named(data: Data, window: Int[ndarray, "spike"], unit: Int[ndarray, "spike"]) -> pd.DataFrame:
    """Which window each spike lies in, and what its unit is called."""
    run, _ = data.fold.test.locate(window)
    of = data.fold.test.recording[run]
    names = {int(one): data.store.entry(int(one)).ch_names for one in np.unique(of)}
    about = data.fold.test.metadata.iloc[run].reset_index(drop=True)
    return about[["recording_name", "subject"]].assign(
        window_id=data.fold.test.ids(window),
        onset_s=_onset(data, window),
        unit=[names[int(recording)][one] for recording, one in zip(of, unit, strict=True)],
    )


def _onset(data: Data, window: Int[ndarray, "item"]) -> Float[ndarray, "item"]:
    """Where windows begin, seconds into their recordings."""
    _, anchor = data.fold.test.locate(window)
    return anchor / data.fold.test.column("sfreq", window).astype(float)


def _encoder(objective: SpikePrediction) -> SpikeEncoder:
    assert isinstance(objective.encoder, SpikeEncoder)
    return objective.encoder
