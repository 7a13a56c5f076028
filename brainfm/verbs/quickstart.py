"""Trains and judges two decoders on real recordings that come with the package, in about three minutes."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from brainfm.verbs.base import takes_overrides

RECIPES = ("quickstart", "quickstart_meg")
EXAMPLES = """\
  brainfm quickstart
  brainfm quickstart --debug          a trial run of the same
"""


def flags(parser: ArgumentParser) -> None:
    takes_overrides(parser)
    parser.add_argument("--debug", action="store_true", help="one fold, few windows, at most 10 steps")


def run(args: Namespace) -> None:
    reports = [_one(name, args) for name in RECIPES]
    print("\nreports, to be opened in a browser:")
    for report in reports:
        print(f"  {report}")


def _one(name: str, args: Namespace) -> Path:
    from brainfm.grammar.known import recipes
    from brainfm.grammar.read import overridden, read
    from brainfm.grammar.stores import store_of
    from brainfm.recipe import Recipe
    from brainfm.run.fit import fit
    from brainfm.verbs.prepare import source_folder
    from data_loaders.prepare import prepare

    path = recipes()[name]
    raw = overridden(read(path), args.overrides)
    print(f"\n{name}: brainfm prepare {raw['prepare']['source']} {store_of(raw)}")
    prepare(source_folder(raw["prepare"]["source"]), Path(str(store_of(raw))))
    print(f"{name}: brainfm fit --config {name}")
    recipe = Recipe.read([path], args.overrides, debug=args.debug)
    return fit(recipe, Path("runs") / recipe.name, command=["brainfm", *args.argv]) / "report.html"
