"""The recipe of a finished run with values set anew: those that judge or carry batches, never those that were trained."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from brainfm.files import written
from brainfm.grammar.nearest import RecipeError
from brainfm.grammar.read import Overrides, located, overridden, read
from brainfm.run.folder import RECIPE

_CARRIES = ("data.batch_size", "data.threads", "data.depth", "data.storage_options", "trainer.accelerator")
_ELSEWHERE = ("data.windows", "data.subjects", "data.targets")


def evaluating(run: Path, overrides: Overrides) -> dict[str, Any]:
    """The run's recipe with other evaluators. Raises RecipeError for a value that decided what was trained."""
    return _with(run, overrides, ("evaluators", *_CARRIES), "brainfm evaluate")


def predicting(run: Path, overrides: Overrides, elsewhere: bool) -> dict[str, Any]:
    """The run's recipe for predicting; `elsewhere`, on other recordings, which windows these are cut into may differ."""
    return _with(run, overrides, (*_CARRIES, *(_ELSEWHERE if elsewhere else ())), "brainfm predict")


def note(run: Path, recipe: dict[str, Any]) -> None:
    """Writes the evaluators that judge from now on into the run's recipe, and says so; nothing where they are the same."""
    known = read(run / RECIPE)
    if known.get("evaluators") == recipe.get("evaluators"):
        return
    with written(run / RECIPE) as part:
        part.write_text(text(known | {"evaluators": recipe["evaluators"]}), encoding="utf-8")
    print(f"evaluators: noted in {run / RECIPE}; fitting this run again needs them in its recipe too")


def text(recipe: dict[str, Any]) -> str:
    """A recipe as YAML."""
    return yaml.safe_dump(recipe, sort_keys=False, allow_unicode=True)


def _with(run: Path, overrides: Overrides, may: Sequence[str], what: str) -> dict[str, Any]:
    recipe = read(run / RECIPE)
    for place, flag in located(recipe, overrides).items():
        key = place.replace(".init_args", "")
        if not any(key == known or key.startswith(f"{known}.") for known in may):
            raise RecipeError(
                f"{flag} decided what {run} was trained on or is: {what} can set {', '.join(may)}; fit another run for the rest"
            )
    return overridden(recipe, overrides)
