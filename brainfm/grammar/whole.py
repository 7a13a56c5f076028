"""The whole recipe: its flat keys, what each holds, and errors that know where a misplaced argument belongs."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from typing import Any

from brainfm.grammar.check import check_arguments, check_part, check_value
from brainfm.grammar.locate import located_class
from brainfm.grammar.nearest import RecipeError, UnknownArgumentError, did_you_mean, nearest
from brainfm.grammar.signature import arguments

# the family of each part; written as text because a family imports torch
FAMILIES = {
    "data": "lightning.LightningDataModule",
    "encoder": "brainfm.encoders.base.Encoder",
    "objective": "brainfm.objectives.base.Objective",
    "evaluators": "brainfm.evaluators.base.Evaluator",
    "optimizer": "torch.optim.Optimizer",
    "scheduler": "torch.optim.lr_scheduler.LRScheduler",
}
TRAINING = "brainfm.systems.training.Training"
EXAMPLES = {
    "data": "{class_path: data_loaders.datamodule.Data, init_args: {store: stores/NAME, ...}}",
    "encoder": "{class_path: brainfm.encoders.gru.GRU}",
    "classes": "{class_path: brainfm.objectives.classification.Classification}",
    "values": "{class_path: brainfm.objectives.regression.Regression}",
    "optimizer": "{class_path: torch.optim.AdamW, init_args: {lr: 1.0e-3}}",
}
VALUES: dict[str, Any] = {
    "seed": int,
    "name": str,
    "debug": bool,
    "init_from": str | None,
    "init_new": list[str],
    "freeze": list[str],
    "prepare": dict[str, Any] | list[dict[str, Any]],
    "grid": dict[str, list],
}
PREPARE = {"source": str, "modality": str | None, "sidecar": str | None, "keep": dict[str, Any] | None}
KEYS = (*FAMILIES, "trainer", *VALUES)


def family(key: str) -> type:
    """The base class that the part under this key must have."""
    module, _, name = FAMILIES[key].rpartition(".")
    return getattr(importlib.import_module(module), name)


def check_recipe(recipe: Mapping[str, Any]) -> None:
    """Everything that can be known before the data are read. Raises RecipeError with the correction."""
    for key in recipe:
        if key not in KEYS:
            raise RecipeError(_unknown(recipe, str(key)))
    if not recipe.get("data"):
        raise RecipeError(f"data is missing: add `data: {EXAMPLES['data']}`, or begin with `brainfm cp quickstart`")
    try:
        _check_parts(recipe)
    except UnknownArgumentError as error:
        raise _rehomed(recipe, error) from error
    _check_values(recipe)


def parts(recipe: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """Key, place and content of every part that a recipe states."""
    for key in FAMILIES:
        value = recipe.get(key)
        if key == "evaluators" and isinstance(value, list):
            yield from ((key, f"evaluators[{i}]", part) for i, part in enumerate(value))
        elif value is not None:
            yield key, key, value


def _check_parts(recipe: Mapping[str, Any]) -> None:
    evaluators = recipe.get("evaluators")
    if evaluators is not None and not isinstance(evaluators, list):
        raise RecipeError(
            f"evaluators is {evaluators!r}, expected a list of Evaluator: put it into a list, [{{class_path: ...}}]"
        )
    for key, where, part in parts(recipe):
        check_part(part, where, family(key), () if key == "data" else None)
    check_arguments(recipe.get("trainer"), located_class(TRAINING, "trainer"), "trainer")


def _check_values(recipe: Mapping[str, Any]) -> None:
    for key, hint in VALUES.items():
        if recipe.get(key) is not None:
            check_value(recipe[key], hint, key, {"seed": 0}.get(key, ""))
    made_of = recipe.get("prepare") or {}
    for source in made_of if isinstance(made_of, list) else [made_of]:
        _check_source(source)
    if recipe.get("seed", 0) < 0:
        raise RecipeError(f"seed is {recipe['seed']}, expected at least 0, for example 0")


def _check_source(source: Mapping[str, Any]) -> None:
    for key, value in source.items():
        if key not in PREPARE:
            raise RecipeError(f"prepare.{key} is not a key of prepare: {did_you_mean(key, PREPARE)}")
        check_value(value, PREPARE[key], f"prepare.{key}")


def _unknown(recipe: Mapping[str, Any], key: str) -> str:
    """A top-level key that is none: the argument of a part, or misspelt."""
    best = nearest(key, [known for known in KEYS if known not in recipe] or KEYS, 0.75)
    home = None if best else _homes(recipe).get(key)
    if home:
        return f"{key} is not a key of a recipe, but an argument that belongs to {home}: {_move(home, key)}"
    if key in ("class_path", "init_args"):
        repair = "put it below the part that it describes, such as `encoder:`, two spaces further right"
        return f"{key} stands at the top of the recipe: {repair}"
    return f"{key} is not a key of a recipe: {did_you_mean(key, KEYS)}"


def _rehomed(recipe: Mapping[str, Any], error: UnknownArgumentError) -> RecipeError:
    """The same error, naming the part that does take the argument where one does."""
    home = _homes(recipe).get(error.key)
    if home is None or error.where.startswith(f"{home}.") or nearest(error.key, error.known, 0.85):
        return error
    told = f"{error.where} is not an argument of {error.owner}, but belongs to {home}"
    return RecipeError(f"{told}: {_move(home, error.key)}")


def _move(home: str, key: str) -> str:
    return f"move it there, as {home}.{key}"


def _homes(recipe: Mapping[str, Any]) -> dict[str, str]:
    """For each argument of a stated part, the place where it is written."""
    found = {name: "trainer" for name in arguments(located_class(TRAINING, "trainer"))}
    for _, where, part in reversed(list(parts(recipe))):
        path = part.get("class_path") if isinstance(part, Mapping) else part
        try:
            found |= {name: f"{where}.init_args" for name in arguments(located_class(str(path), where))}
        except RecipeError:
            continue
    return found
