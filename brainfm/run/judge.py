"""What a trained fold is worth: its predictions on the test part, baselines beside them, and the tables of the run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from rich.console import Console
from rich.table import Table

from brainfm.evaluators.base import Evaluator
from brainfm.nn.ranks import apart
from brainfm.objectives.base import ContrastiveObjective, Objective
from brainfm.recipe import Recipe
from brainfm.report.page import write
from brainfm.run.embedding import judged, read_out
from brainfm.run.folder import SUMMARY, RunFolder
from brainfm.run.maps import write_maps
from brainfm.run.passing import predicted
from brainfm.run.train import device_of, reproducible
from brainfm.systems.training import Training
from data_loaders.contracts import SCORE_COLUMNS, Batch

_TRAIN_WINDOWS = 5_000  # of the training part are predicted too: how much better these are widens the intervals


def judge(
    recipe: Recipe, objective: Objective, folder: Path | None = None, control: Any = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The predictions and the scores of the current fold's test part, baselines among them; none without evaluators.

    An embedding is read out first, beside that of `control`; its points are kept in `folder`. One process judges, also where
    several trained: it sees every window, in order.
    """
    data, evaluators = recipe.data, recipe.fresh_evaluators()
    if not evaluators:
        return pd.DataFrame(), pd.DataFrame(columns=pd.Index(SCORE_COLUMNS))
    for evaluator in evaluators:
        evaluator.begin(model_name(recipe), data.targets, data.facts())
    with reproducible(recipe.seed), apart():
        device = device_of(Training(**recipe.trainer))
        for prediction, batch, others in _passes(recipe, objective, evaluators, device, folder, control):
            for evaluator in evaluators:
                evaluator.beside(others, batch)
                evaluator.update(prediction, batch)
        table = data.metadata("test").assign(seed=recipe.seed)
        for evaluator in evaluators:
            if _takes(evaluator, "probe"):
                _probe(evaluator, objective, data.part("test"), device)
            evaluator.fit_baselines(data.part("train"), data.part("test"))
        if not isinstance(objective, ContrastiveObjective) and any(_takes(e, "update_train") for e in evaluators):
            for prediction, batch in predicted(objective, data.part("train", at_most=_TRAIN_WINDOWS), device):
                for evaluator in evaluators:
                    evaluator.update_train(prediction, batch)
        scores = [evaluator.compute(table).rows for evaluator in evaluators]
    # two evaluators hold the same predictions of the trained model
    predictions = pd.concat([evaluator.predictions for evaluator in evaluators]).reset_index()
    once = predictions.drop_duplicates(["window_id", "model", "target"]).set_index("window_id")
    return once, pd.concat(scores, ignore_index=True)


def _takes(evaluator: Evaluator, step: str) -> bool:
    """Whether it does anything in a step that costs a pass of the model."""
    return getattr(type(evaluator), step) is not getattr(Evaluator, step)


def _probe(evaluator: Evaluator, objective: Objective, batches: Iterable[Batch], device: Any) -> None:
    with torch.inference_mode():
        evaluator.probe(objective.to(device).eval(), (batch.to(device) for batch in batches))


def _passes(
    recipe: Recipe, objective: Objective, evaluators: list[Any], device: Any, folder: Path | None, control: Any
) -> Iterator[tuple[dict[str, Any], Any, dict[str, Any]]]:
    """Each test batch with what the model predicts, and what other trained models do."""
    if isinstance(objective, ContrastiveObjective):
        models = judged(recipe, objective, control)
        yield from read_out(models, model_name(recipe), device, evaluators, folder)
    else:
        yield from (
            (prediction, batch, {}) for prediction, batch in predicted(objective, recipe.data.part("test"), device)
        )


def model_name(recipe: Recipe) -> str:
    """The name of the trained model in tables: the class of its encoder, or of its objective where it has none."""
    part = recipe.resolved.get("encoder") or recipe.resolved["objective"]
    return part["class_path"].rpartition(".")[2]


def own_scores(recipe: Recipe, rows: pd.DataFrame) -> dict[str, dict[str, float]]:
    """The trained model's mean over subjects, by target and metric."""
    ours = rows[rows["model"] == model_name(recipe)]
    return {str(target): of.groupby("metric")["value"].mean().to_dict() for target, of in ours.groupby("target")}


def conclude(run: RunFolder, recipe: Recipe) -> pd.DataFrame:
    """Writes scores.csv and summary.csv over all folds, and returns the summary; it is empty without evaluators."""
    predictions, rows = run.predictions(len(recipe.data.folds)), run.scores(len(recipe.data.folds))
    run.save_table("scores.csv", rows)
    evaluators = recipe.fresh_evaluators()
    summaries = [evaluator.summarise(predictions, rows) for evaluator in evaluators]
    for evaluator in evaluators:
        write_maps(run, recipe.data.store, evaluator.maps(predictions))
    summary = pd.concat(summaries, ignore_index=True) if summaries else pd.DataFrame()
    run.save_table(SUMMARY, summary)
    return summary


def show(run: RunFolder, summary: pd.DataFrame) -> None:
    """Prints the table of results, writes the report and says where it is."""
    if summary.empty:
        return print(
            f"weights: {run.path}/fold-*/model.safetensors (the recipe has no evaluators, so nothing is scored)"
        )
    # a pipe has no width: rich would cut the table to 80 columns
    console = Console(width=None if Console().is_terminal else 140)
    for target, rows in summary.groupby("target", sort=False):
        console.print(_table(str(target), rows))
    print(f"report: {write(run.path)}")


def _table(target: str, rows: pd.DataFrame) -> Table:
    """One line per model: the leading metric with its interval and chance, then the other metrics."""
    wide = rows.pivot_table(index="model", columns="metric", values="value", sort=False, dropna=False)
    leading, *others = list(wide.columns)
    table = Table("model", leading, "95 % interval", "chance", *others, title=target, title_justify="left")
    first = rows[rows["metric"] == leading].set_index("model").sort_values("value", ascending=False)
    ours = rows["model"].iloc[0]
    for model, row in first.iterrows():
        cells = [f"{row['value']:.3f}", f"{row['low']:.3f} to {row['high']:.3f}", f"{row['chance']:.3f}"]
        table.add_row(
            str(model),
            *cells,
            *(f"{wide.loc[model, name]:.3f}" for name in others),
            style="bold" if model == ours else None,
        )
    return table
