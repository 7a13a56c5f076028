"""Copies a recipe that comes with the package, to be edited."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from brainfm.grammar.known import recipes
from brainfm.grammar.nearest import RecipeError, did_you_mean

EXAMPLES = """\
  brainfm cp quickstart               writes quickstart.yaml here
  brainfm cp decode/eegmat mine.yaml
"""


def flags(parser: ArgumentParser) -> None:
    parser.add_argument("recipe", metavar="RECIPE", help="a name that `brainfm ls recipes` shows")
    parser.add_argument("dest", nargs="?", metavar="DEST", help="a file or folder; this folder where left out")
    parser.add_argument("--force", action="store_true", help="overwrite a file that is there")


def run(args: Namespace) -> None:
    known = recipes()
    name = args.recipe.removesuffix(".yaml")
    if name not in known:
        raise RecipeError(f"there is no recipe {args.recipe!r}: {did_you_mean(name, known)}")
    dest = Path(args.dest or ".")
    dest = dest / known[name].name if dest.is_dir() else dest
    if dest.exists() and not args.force:
        raise RecipeError(f"{dest} is there already: write `brainfm cp {args.recipe} OTHER.yaml`, or add --force")
    dest.parent.mkdir(parents=True, exist_ok=True)
    dest.write_text(known[name].read_text(encoding="utf-8"), encoding="utf-8")
    print(f"{dest} is yours to edit; run it with `brainfm fit --config {dest}`")
