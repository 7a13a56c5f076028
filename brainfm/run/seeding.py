"""From which seed a fold takes everything: its order, its first weights and its dropout."""

from __future__ import annotations

from brainfm.objectives.base import Objective
from brainfm.recipe import Recipe
from brainfm.run.train import reproducible
from brainfm.systems.supervised import keyed_seed


def fold_seed(recipe: Recipe, number: int) -> int:
    """The one seed of a fold, from the recipe's."""
    return keyed_seed(recipe.seed, number)


def fresh_objective(recipe: Recipe, number: int) -> Objective:
    """The objective of a fold with its first weights; `recipe.data.use` has made the fold current."""
    with reproducible(fold_seed(recipe, number)):
        return recipe.fresh_objective()
