"""Checks a recipe and runs one batch of it: what is wrong is named with its correction."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from brainfm.verbs.base import OVERRIDES, recipe_flags, recipe_of

if TYPE_CHECKING:
    from brainfm.recipe import Recipe

EXAMPLES = "  brainfm validate --config recipes/decode/eegmat.yaml --encoder.depth 3\n\n" + OVERRIDES


def flags(parser: ArgumentParser) -> None:
    recipe_flags(parser)


def run(args: Namespace) -> None:
    recipe = recipe_of(args)
    if args.print_config:
        return print(recipe.text(), end="")
    losses = recipe.rehearse()
    print(f"{args.config[-1] if args.config else args.from_run} is valid")
    for line in described(recipe):
        print(f"  {line}")
    print("  one batch: " + ", ".join(f"{name} {value:.4g}" for name, value in losses.items()))


def described(recipe: Recipe) -> list[str]:
    """What the recipe comes to: facts of the data, folds, size of the model."""
    facts = {name: value for name, value in recipe.data.facts().items() if isinstance(value, int | float | str)}
    parts = {name: [len(getattr(fold, name)) for fold in recipe.data.folds] for name in ("train", "val", "test")}
    n_parameters = sum(parameter.numel() for parameter in recipe.objective.parameters() if parameter.requires_grad)
    return [
        "data: " + ", ".join(f"{name} {value:g}" if not isinstance(value, str) else f"{name} {value}" for name, value in facts.items()),
        f"folds: {len(recipe.data.folds)}, windows in them: "
        + ", ".join(f"{name} {_span(numbers)}" for name, numbers in parts.items()),
        f"parameters that learn: {n_parameters}",
    ]  # fmt: skip


def _span(numbers: list[int]) -> str:
    low, high = min(numbers), max(numbers)
    return f"{low}" if low == high else f"{low}-{high}"
