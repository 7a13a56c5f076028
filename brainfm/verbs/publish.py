"""Writes the card of a run into checkpoints/, and sends its weights to the hub where asked to."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from brainfm.verbs.base import run_folder

EXAMPLES = """\
  brainfm publish runs/eegmat                               checkpoints/eegmat/card.md and manifest.yaml
  brainfm publish runs/eegmat --push my-lab/eegmat          the same, and weights to the hub
  brainfm fit --config mine.yaml --init_from hf://my-lab/eegmat
"""


def flags(parser: ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="a run folder that `brainfm fit` wrote")
    parser.add_argument("--name", help="what the checkpoint is called; the run's name where left out")
    parser.add_argument(
        "--out", default="checkpoints", metavar="DIR", help="where its folder goes (default: checkpoints)"
    )
    parser.add_argument(
        "--licence", default="bsd-3-clause", help="of the weights (default: bsd-3-clause); data may ask for another"
    )
    parser.add_argument("--push", metavar="OWNER/NAME", help="send weights and card to this repository of the hub")


def run(args: Namespace) -> None:
    from brainfm.run.publish import publish

    folder = run_folder(args)
    name = args.name or folder.resolve().name
    where = publish(folder, Path(args.out) / name, args.licence, args.push)
    print(f"card: {where / 'card.md'}")
