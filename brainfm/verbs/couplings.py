"""Reads off a model of spikes who drives whom, beside cross-correlation and a GLM, as parquet and csv."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from brainfm.verbs.base import run_folder

EXAMPLES = """\
  brainfm couplings runs/reaching                 every pair of units, by the model of each fold
  brainfm couplings runs/network --fold 0         scored where the recordings say who drives whom
"""


def flags(parser: ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="a run folder that `brainfm fit` wrote, with a SpikePrediction")
    parser.add_argument("--fold", type=int, help="the model of this fold; all where left out")
    parser.add_argument(
        "--max_windows", type=int, default=20_000, help="training windows for the baselines (default 20000)"
    )
    parser.add_argument("--print_config", action="store_true", help="print the recipe of the run, and stop")


def run(args: Namespace) -> None:
    folder = run_folder(args)
    if args.print_config:
        return print((folder / "recipe.yaml").read_text(encoding="utf-8"), end="")
    from brainfm.run.couplings import couplings

    couplings(folder, fold=args.fold, max_windows=args.max_windows)
