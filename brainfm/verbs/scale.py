"""Fits a recipe over its grid (models, layers, training sizes, subjects, seeds), and laws of how the score scales."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from brainfm.grammar.nearest import RecipeError
from brainfm.verbs.base import OVERRIDES, recipe_flags

EXAMPLES = (
    """\
  brainfm scale --config recipes/scaling/reaching.yaml             every cell here, one after another
  brainfm scale --config recipes/scaling/reaching.yaml -j 4        in four processes
  brainfm scale --config mine.yaml --x n_parameters                against the parameters that were counted
  brainfm scale --config mine.yaml --executor slurm --resources timeout_min=120 gpus_per_node=1 slurm_partition=gpu
  brainfm scale --config mine.yaml --sizes gpt2.layer8=124e6 gpt2-xl.layer24=1.5e9

the recipe says what varies: `grid: {data.train_share: [0.1, 0.3, 1.0], encoder.hidden: [16, 64], seed: [0, 1]}`.
a grid that was stopped goes on with the same command; after a change only what the change concerns is computed.
"""
    + OVERRIDES
)
EXECUTORS = ("here", "processes", "slurm", "local", "debug")


def flags(parser: ArgumentParser) -> None:
    recipe_flags(parser)
    parser.add_argument("--out", metavar="FOLDER", help="where the cells go; runs/NAME-scale where left out")
    parser.add_argument("--x", metavar="KEY", help="an axis, or n_parameters, n_train, train_hours")
    parser.add_argument("--metric", help="the score that is fitted; the evaluator's first where left out")
    parser.add_argument(
        "--sizes", nargs="+", default=[], metavar="WORD=NUMBER", help="the size of a value that is no number"
    )
    parser.add_argument("-j", "--jobs", type=int, default=1, metavar="N", help="so many processes of this machine")
    parser.add_argument(
        "--executor", choices=EXECUTORS, help="slurm, or local and debug to try jobs out, through submitit"
    )
    parser.add_argument(
        "--resources", nargs="+", default=[], metavar="KEY=VALUE", help="what a job may use, in submitit's words"
    )


def run(args: Namespace) -> None:
    raw = _recipe(args)
    if args.print_config:
        import yaml

        return print(yaml.safe_dump(raw, sort_keys=False, allow_unicode=True), end="")
    from brainfm.run.scale import scale
    from brainfm.run.series import Axis

    name = f"{raw['name']}-scale" + ("-debug" if args.debug else "")
    out = Path(args.out or f"runs/{name}")
    sizes = {word: _number(word, value) for word, value in _pairs(args.sizes, "--sizes").items()}
    scale(raw, out, _executor(args, out), Axis(args.x, args.metric, sizes))


def _recipe(args: Namespace) -> dict[str, Any]:
    """The recipe as it is stated, overrides in it; each cell is checked and completed on its own."""
    from brainfm.grammar.read import layered, overridden, read

    if not args.config:
        raise RecipeError("no recipe is given: write `brainfm scale --config RECIPE` (`brainfm ls recipes`)")
    if args.from_run:
        raise RecipeError("--from starts one run from another, and a grid is many: write init_from into the recipe")
    raw: dict[str, Any] = {}
    for path in map(Path, args.config):
        raw = layered(raw, {"name": path.stem, **read(path)})
    return overridden(raw, args.overrides) | ({"debug": True} if args.debug else {})


def _executor(args: Namespace, out: Path) -> Any:
    from brainfm.run.executors import Here, Processes, Submitit

    if args.jobs < 1:
        raise RecipeError(f"-j is {args.jobs}, expected 1 or more: leave it out for one")
    kind = args.executor or ("processes" if args.jobs > 1 else "here")
    if kind == "here":
        return Here()
    return Processes(args.jobs) if kind == "processes" else Submitit(out / "jobs", kind, _resources(args.resources))


def _resources(words: Sequence[str]) -> dict[str, Any]:
    from brainfm.grammar.read import load

    return {key: load(value, "--resources") for key, value in _pairs(words, "--resources").items()}


def _pairs(words: Sequence[str], flag: str) -> dict[str, str]:
    for word in words:
        if not all(word.rpartition("=")[::2]):
            raise RecipeError(f"{flag} {word}: expected KEY=VALUE")
    return {word.rpartition("=")[0]: word.rpartition("=")[2] for word in words}


def _number(word: str, value: str) -> float:
    try:
        return float(value)
    except ValueError:
        raise RecipeError(f"--sizes {word}={value}: {value!r} is no number, write for example {word}=124e6") from None
