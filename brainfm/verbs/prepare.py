"""Converts recordings into a store, one at a time; called again, it goes on where it stopped."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from brainfm.grammar.known import studies
from brainfm.grammar.nearest import RecipeError, nearest
from brainfm.verbs.base import takes_overrides
from brainfm.verbs.download import folder

EXAMPLES = """\
  brainfm prepare ~/data/eegmat stores/eegmat --sidecar eegmat
  brainfm prepare eegmat stores/eegmat -j 4         what `brainfm download eegmat` fetched, four recordings at a time
  brainfm prepare reaching stores/reaching          a sample that comes with the package
  brainfm prepare --config quickstart
  brainfm prepare ~/data/eegmat --config decode/eegmat
"""
_HERE = "`brainfm prepare PATH --config RECIPE`, with its path before --config"


def flags(parser: ArgumentParser) -> None:
    parser.add_argument("source", nargs="?", metavar="SOURCE", help="a folder, a file, or the name of a sample")
    parser.add_argument("dest", nargs="?", metavar="DEST", help="the folder of the store")
    takes_overrides(parser)
    parser.add_argument("--config", nargs="+", metavar="RECIPE", help="take SOURCE and DEST from a recipe")
    parser.add_argument("--modality", help="only recordings of this kind: eeg, meg, spikes, ...")
    parser.add_argument(
        "--sidecar", help="a YAML file that says what the files do not, or a study (`brainfm ls studies`)"
    )
    parser.add_argument("--keep", help="which units or cells: '{quality: [good], rate: {min: 0.5}, region: [CA1]}'")
    parser.add_argument(
        "-j",
        "--jobs",
        type=int,
        default=1,
        metavar="N",
        help="how many recordings to convert at a time, each in its own process",
    )


def run(args: Namespace) -> None:
    asked = _from_recipe(args) if args.config else [(args.source, args.dest, _options(args, {}))]
    if any(source is None or dest is None for source, dest, _ in asked):
        raise RecipeError("SOURCE and DEST are needed: write `brainfm prepare FOLDER stores/NAME`, or --config RECIPE")
    from data_loaders.prepare import prepare

    for source, dest, options in asked:
        prepare(source_folder(source), dest, **options, jobs=args.jobs)


def source_folder(source: str) -> Path:
    """The folder or file of that name, else what was downloaded of a study, else a sample. Raises RecipeError."""
    from data_loaders import samples

    path = Path(source).expanduser()
    if path.exists():
        return path
    if source in studies():
        downloaded = folder(source)
        if downloaded.is_dir():
            return downloaded
        repair = (
            f"`brainfm download {source}` first, or `brainfm prepare ITS_FOLDER stores/{source} --sidecar {source}`"
        )
        raise RecipeError(
            f"{source!r} is a study that does not come with the package, and {downloaded} is not there: {repair}"
        )
    if source == "FOLDER":
        raise RecipeError(f"FOLDER stands for where you keep the recordings: write {_HERE}")
    try:
        return samples.path(source)
    except ValueError as error:
        raise RecipeError(
            f"{source!r} does not exist: {_nearest_beside(path) or f'name what is there ({error})'}"
        ) from None


def _nearest_beside(path: Path) -> str | None:
    names = [other.name for other in path.parent.iterdir()] if path.parent.is_dir() else []
    best = nearest(path.name, names)
    return f"did you mean {str(path.parent / best)!r}?" if best else None


def _options(args: Namespace, asked: Mapping[str, Any]) -> dict[str, Any]:
    keep = parsed_keep(args.keep) if args.keep else asked.get("keep")
    return {name: getattr(args, name) or asked.get(name) for name in ("modality", "sidecar")} | {"keep": keep}


def parsed_keep(text: str) -> dict[str, Any]:
    """What --keep asks for. Raises RecipeError where it is no `{column: values}`."""
    try:
        keep = yaml.safe_load(text)
    except yaml.YAMLError:
        keep = None
    if not isinstance(keep, dict):
        raise RecipeError(f"--keep {text!r} is no map: write --keep '{{quality: [good], rate: {{min: 0.5}}}}'")
    return keep


def _from_recipe(args: Namespace) -> list[tuple[str, str, dict[str, Any]]]:
    """SOURCE, DEST and options of each store of the recipe; what the command line names goes before, for a recipe of one."""
    from brainfm.grammar.read import layered, overridden, read
    from brainfm.grammar.stores import sources_of, stores_of

    recipe: dict = {}
    for path in args.config:
        recipe = layered(recipe, read(Path(path)))
    recipe = overridden(recipe, args.overrides)
    stores = [args.dest] if args.dest else stores_of(recipe)
    if not stores:
        raise RecipeError(f"{args.config[-1]} names no store: add `store: stores/NAME` to data.init_args")
    if args.source and len(stores) > 1:
        named = ", ".join(stores)
        raise RecipeError(
            f"{args.config[-1]} has {len(stores)} stores ({named}): write `brainfm prepare {args.source} DEST` for one of them"
        )
    where = {"storage_options": ((recipe.get("data") or {}).get("init_args") or {}).get("storage_options")}
    asked = [_asked(args, made_of, dest) for made_of, dest in zip(sources_of(recipe), stores, strict=False)]
    return [(source, dest, options | where) for source, dest, options in asked]


def _asked(args: Namespace, made_of: Mapping[str, Any], dest: str) -> tuple[str, str, dict[str, Any]]:
    source = args.source or made_of.get("source")
    if source is None:
        raise RecipeError(
            f"{args.config[-1]} does not say what its store is made of: write `brainfm prepare FOLDER {dest}`, "
            f"or add `prepare: {{source: FOLDER}}` to it"
        )
    return source, dest, _options(args, made_of)
