"""Scores the trained folds of a run again, and rewrites its tables."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from brainfm.verbs.base import run_folder

EXAMPLES = "  brainfm evaluate runs/eegmat\n"


def flags(parser: ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="a run folder that `brainfm fit` wrote")
    parser.add_argument("--print_config", action="store_true", help="print the recipe of the run, and stop")


def run(args: Namespace) -> None:
    folder = run_folder(args)
    if args.print_config:
        return print((folder / "recipe.yaml").read_text(encoding="utf-8"), end="")
    from brainfm.run.predict import evaluate

    evaluate(folder)
