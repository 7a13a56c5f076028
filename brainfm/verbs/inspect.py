"""Tells what a BIDS folder or a set of files holds, and writes a recipe for it that runs."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from brainfm.grammar.nearest import RecipeError

EXAMPLES = """\
  brainfm inspect ~/data/ds004362 --out motor.yaml
  brainfm inspect ~/data/eegmat --sidecar eegmat
  brainfm prepare --config motor.yaml
  brainfm fit --config motor.yaml
"""


def flags(parser: ArgumentParser) -> None:
    parser.add_argument("source", metavar="DIR", help="a BIDS folder, a folder of files, one file, or a sample's name")
    parser.add_argument("--out", metavar="RECIPE", help="write the recipe here; NAME_OF_DIR.yaml where left out")
    parser.add_argument("--store", metavar="DEST", help="where its store will be; stores/NAME_OF_DIR where left out")
    parser.add_argument("--modality", help="only recordings of this kind: eeg, meg, spikes, ...")
    parser.add_argument("--sidecar", help="what the files do not say themselves: a YAML file, or a study by name")
    parser.add_argument("--force", action="store_true", help="overwrite a recipe that is there")


def run(args: Namespace) -> None:
    from brainfm.files import written
    from brainfm.verbs.prepare import source_folder
    from data_loaders.inspect import inspect, starter_recipe, tell

    source = source_folder(args.source)
    name = source.resolve().stem
    out = Path(args.out or f"{name}.yaml")
    if args.out and out.exists() and not args.force:
        raise RecipeError(f"{out} is there already: write --out OTHER.yaml, or add --force")
    summary = inspect(source, modality=args.modality, sidecar=args.sidecar)
    tell(summary)
    text = starter_recipe(summary, args.store or f"stores/{name}", str(out))
    if out.exists() and not args.force:
        print(f"{out} is there already and stays: --force writes it anew")
    else:
        with written(out) as part:
            part.write_text(text, encoding="utf-8")
        print(f"{out} is a recipe for it")
    print(f"next: brainfm prepare --config {out}\n      brainfm fit --config {out}")
