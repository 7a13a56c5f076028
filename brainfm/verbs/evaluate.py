"""Scores the trained folds of a run again, by the same or by other evaluators, and rewrites its tables."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from brainfm.verbs.base import run_folder, takes_overrides

EXAMPLES = """\
  brainfm evaluate runs/eegmat
  brainfm evaluate runs/alice_minilm --evaluators.0.ceiling subjects --evaluators.0.block 60      noted in the run's recipe
  brainfm evaluate runs/eegmat --evaluators "[brainfm.evaluators.decoding.Decoding]" --trainer.accelerator cpu

what was trained stays: of the recipe, evaluators can be set, and how batches go through (data.batch_size, data.threads,
data.depth, data.storage_options, trainer.accelerator).
"""


def flags(parser: ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="a run folder that `brainfm fit` wrote")
    takes_overrides(parser)
    parser.add_argument("--print_config", action="store_true", help="print the recipe that would judge, and stop")


def run(args: Namespace) -> None:
    folder = run_folder(args)
    from brainfm.run.rejudged import evaluating, text

    if args.print_config:
        return print(text(evaluating(folder, args.overrides)), end="")
    from brainfm.run.predict import evaluate

    evaluate(folder, args.overrides)
