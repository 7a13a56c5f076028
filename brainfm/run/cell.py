"""One cell of a grid: a recipe scored without a run folder, and all that its scores depend on in the data."""

from __future__ import annotations

from typing import Any

import pandas as pd
import torch

from brainfm.recipe import Recipe
from brainfm.run.judge import judge
from brainfm.run.seeding import fold_seed, fresh_objective
from brainfm.run.train import device_of
from brainfm.systems.training import Training


def scored(recipe: Recipe) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The predictions and the score rows of every fold of a closed-form recipe, in memory; nothing is written.

    Features, layer, share of the training part (`data.train_share`), subject and seed are values of the recipe:
    `Recipe.read(paths, overrides)` makes a cell. Raises ValueError where the objective is trained by steps: `fit` does that.
    """
    if not getattr(recipe.objective, "closed_form", False):
        raise ValueError(
            f"{type(recipe.objective).__name__} is trained by steps, which needs a folder: use brainfm.run.fit"
        )
    folds = [_scored_fold(recipe, number) for number in range(len(recipe.data.folds))]
    predictions, rows = zip(*folds, strict=True)
    return pd.concat(predictions), pd.concat(rows, ignore_index=True)


def contents(recipe: Recipe) -> dict[str, dict[str, Any]]:
    """Checksums by recording of what the recipe's fields read: the signal or spikes, and each stream or feature.

    What `recipe.resolved` says and these together determine a score, but for the code.
    """
    sources = sorted({field.source for field in recipe.data.fields.values()})
    store = recipe.data.store
    found = {}
    for entry in map(store.entry, range(len(store))):
        named = {source: entry.extents[f"streams/{source}"].sha256 for source in sources if source in entry.streams}
        found[entry.name] = {"content": entry.sha256, **named}
    return found


def _scored_fold(recipe: Recipe, number: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    recipe.data.use(number, fold_seed(recipe, number))
    objective: Any = fresh_objective(recipe, number).to(device_of(Training(**recipe.trainer)))
    with torch.no_grad():
        objective.fit(recipe.data.part("train"))
    return judge(recipe, objective)
