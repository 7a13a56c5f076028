"""Trains every fold of a recipe, scores it beside chance and baselines, and writes the report."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from brainfm.verbs.base import OVERRIDES, recipe_flags, recipe_of

EXAMPLES = (
    """\
  brainfm fit --config recipes/decode/eegmat.yaml
  brainfm fit --config recipes/decode/eegmat.yaml --debug        does it run at all?
  brainfm fit --from runs/eegmat --config other_data.yaml        the same model on other data

a run that was stopped goes on with the same command.
"""
    + OVERRIDES
)


def flags(parser: ArgumentParser) -> None:
    recipe_flags(parser)
    parser.add_argument("--out", metavar="FOLDER", help="the run folder; runs/NAME of the recipe where left out")


def run(args: Namespace) -> None:
    recipe = recipe_of(args)
    if args.print_config:
        return print(recipe.text(), end="")
    if recipe.resolved.get("grid"):
        print("grid: fit runs the recipe as it stands; `brainfm scale` runs every cell of its grid")
    from brainfm.run.fit import fit

    fit(recipe, Path(args.out or f"runs/{recipe.name}"), command=["brainfm", *args.argv])
