"""What the verbs share: the flags of a recipe, reading it, and where a run goes."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from brainfm.recipe import Recipe

OVERRIDES = """\
any value of the recipe can be set on the command line:
  --data.batch_size 32   --optimizer.lr 3e-4   --trainer.max_steps 500   --seed 1
  --encoder brainfm.encoders.eegnet.EEGNet     --data.transforms.0.names "[Cz, Pz]"
"""


def recipe_flags(parser: ArgumentParser) -> None:
    """The flags of every verb that builds a recipe."""
    parser.add_argument(
        "--config", nargs="+", action="extend", default=[], metavar="RECIPE",
        help="recipe files, the later laid over the earlier; or the name of a recipe that comes with the package",
    )  # fmt: skip
    parser.add_argument(
        "--from", dest="from_run", metavar="RUN",
        help="start from the recipe of this run; the data of --config replace its data whole",
    )  # fmt: skip
    takes_overrides(parser)
    parser.add_argument("--debug", action="store_true", help="under a minute: one fold, few windows, at most 10 steps")
    parser.add_argument("--print_config", action="store_true", help="print the recipe with every value, and stop")


def takes_overrides(parser: ArgumentParser) -> None:
    """Lets `--key.sub value` through: `args.overrides` has them; other verbs refuse them."""
    parser.set_defaults(overridable=True)


def recipe_of(args: Namespace) -> Recipe:
    """The recipe that the flags ask for, built. Raises RecipeError."""
    from brainfm.grammar.nearest import RecipeError
    from brainfm.recipe import Recipe

    if not args.config and not args.from_run:
        raise RecipeError(f"no recipe is given: write `brainfm {args.verb} --config RECIPE` (`brainfm ls recipes`)")
    return Recipe.read(args.config, args.overrides, debug=args.debug, from_run=args.from_run)


def run_folder(args: Namespace) -> Path:
    """The run folder that an argument names. Raises RecipeError with the nearest one."""
    from brainfm.grammar.nearest import RecipeError, did_you_mean

    path = Path(args.run)
    if (path / "recipe.yaml").is_file():
        return path
    runs = [str(found.parent) for folder in {path.parent, Path("runs")} for found in folder.glob("*/recipe.yaml")]
    hint = did_you_mean(str(path), sorted(runs)) if runs else "fit a recipe first, `brainfm fit --config quickstart`"
    raise RecipeError(f"{path} is no run folder, it has no recipe.yaml: {hint}")
