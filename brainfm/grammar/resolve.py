"""Resolves a checked recipe: data first, then everything that the data settle, until no value is left open."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from brainfm.grammar.check import check_part
from brainfm.grammar.links import linked, without
from brainfm.grammar.locate import located_class
from brainfm.grammar.nearest import RecipeError
from brainfm.grammar.parts import REFUSALS, Part, build, completed
from brainfm.grammar.signature import arguments
from brainfm.grammar.whole import EXAMPLES, FAMILIES, TRAINING, family, parts

# what the trainer settles for a scheduler
_SCHEDULED = ("total_steps", "T_max")
_SIGNAL = "name one of data.init_args.fields 'signal'"
_SOURCES = {"n_chans": _SIGNAL, "n_times": _SIGNAL, "n_outputs": "add a target to data.init_args.targets"}


def spelled_out(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """The recipe with `encoder: path.to.Class` written as a part."""
    return {
        key: {"class_path": value} if key in FAMILIES and isinstance(value, str) else value
        for key, value in recipe.items()
    }


def opened(part: Part) -> Any:
    """The data, built and set up. Raises RecipeError for what windows, split, targets or store refuse."""
    data = build(part, "data")
    _check_fields(part["init_args"])
    try:
        data.setup()
    except REFUSALS as error:
        raise RecipeError(f"data: {error}") from error
    return data


def facts_of(data: Any) -> dict[str, Any]:
    """What the data settle by name; transforms are fitted for it. Raises RecipeError for what they refuse."""
    try:
        return data.facts()
    except REFUSALS as error:
        raise RecipeError(f"data: {error.args[0] if isinstance(error, KeyError) else error}") from error


def _check_fields(stated: Mapping[str, Any]) -> None:
    """Transforms act on the field `signal`: under another name they would have nothing to act on."""
    fields = stated.get("fields") or {}
    if stated.get("transforms") and "signal" not in fields:
        told = f"data.init_args.transforms act on a field 'signal', and there is only {', '.join(map(repr, fields))}"
        raise RecipeError(f"{told}: {_SIGNAL}, or leave the transforms out")


def resolved_model(
    recipe: Mapping[str, Any], data: Any, facts: Mapping[str, Any], below: Mapping[str, Any]
) -> dict[str, Any]:
    """Encoder, objective and evaluators, complete; what the data settled for the recipe `below` is settled anew."""
    if not recipe.get("objective"):
        kind = "classes" if any(target.classes for target in data.targets) else "values"
        raise RecipeError(f"objective is missing: the targets are {kind}, so add `objective: {EXAMPLES[kind]}`")
    _check_encoder(recipe)
    found: dict[str, Any] = {}
    for key, where, part in parts(recipe):
        if key not in ("encoder", "objective", "evaluators"):
            continue
        part = without(part, _inherited(part, below.get(key), facts))
        complete = _complete(part, key, where, facts)
        found[key] = [*found.get(key, []), complete] if key == "evaluators" else complete
    return {"evaluators": []} | found


def resolved_training(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Trainer, optimizer and scheduler, complete; the scheduler runs as long as the trainer."""
    trainer = completed({"class_path": TRAINING, "init_args": recipe.get("trainer") or {}}, "trainer")["init_args"]
    found: dict[str, Any] = {"trainer": trainer}
    if recipe.get("optimizer"):
        found["optimizer"] = _complete(recipe["optimizer"], "optimizer", "optimizer", {})
    if recipe.get("scheduler"):
        if "optimizer" not in found:
            raise RecipeError(
                f"optimizer is missing, and the scheduler needs one: add `optimizer: {EXAMPLES['optimizer']}`"
            )
        found["scheduler"] = _scheduler(recipe["scheduler"], trainer, found.get("optimizer"))
    return found


def relinked(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """The recipe with its scheduler open to another number of steps."""
    return dict(recipe) | ({"scheduler": without(recipe["scheduler"], _SCHEDULED)} if recipe.get("scheduler") else {})


def first_argument(part: Part) -> str:
    """The argument that is an object: the parameters of an optimizer, the optimizer of a scheduler."""
    return next(iter(arguments(located_class(part["class_path"], "class_path"))))


def _complete(part: Part, key: str, where: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    taken = arguments(located_class(part["class_path"], f"{where}.class_path"))
    given = linked(part.get("init_args") or {}, facts, taken, f"{where}.init_args", "the data")
    passed = ["encoder"] if key == "objective" else [first_argument(part)] if key in ("optimizer", "scheduler") else []
    check_part(part, where, family(key), {*given, *passed})
    return completed(part, where, given, passed)


def _check_facts(part: Part, taken: Mapping[str, Any], facts: Mapping[str, Any], where: str) -> None:
    """A fact that a signature needs and the data do not have: the field or the target that brings it is missing."""
    stated = part.get("init_args") or {}
    for name, source in _SOURCES.items():
        if name in taken and taken[name].required and name not in stated and facts and name not in facts:
            raise RecipeError(f"{where} needs {name}, which the data do not have: {source}")


def _scheduler(part: Part, trainer: Mapping[str, Any], optimizer: Part | None) -> dict[str, Any]:
    taken = arguments(located_class(part["class_path"], "scheduler.class_path"))
    stated = part.get("init_args") or {}
    steps: dict[str, Any] = dict.fromkeys(_SCHEDULED, trainer["max_steps"])
    found = linked(stated, steps, taken, "scheduler.init_args", "trainer.max_steps")
    # the optimizer's lr is where a cycle peaks, unless the recipe says otherwise
    if "max_lr" in taken and "max_lr" not in stated and optimizer:
        found["max_lr"] = optimizer["init_args"]["lr"]
    return _complete({**part, "init_args": {**stated, **found}}, "scheduler", "scheduler", {})


def _inherited(part: Part, old: Any, facts: Mapping[str, Any]) -> set[str]:
    """The facts that a part only holds because the run below had them."""
    before = (old.get("init_args") or {}) if isinstance(old, Mapping) else {}
    now = part.get("init_args") or {}
    return {name for name in facts if name in before and name in now and before[name] == now[name]}


def _check_encoder(recipe: Mapping[str, Any]) -> None:
    objective = recipe["objective"]["class_path"]
    wanted = arguments(located_class(objective, "objective.class_path")).get("encoder")
    if wanted is None and recipe.get("encoder"):
        raise RecipeError(f"encoder is given, but {objective} takes none: leave `encoder` out")
    if wanted is not None and wanted.required and not recipe.get("encoder"):
        raise RecipeError(f"encoder is missing, and {objective} needs one: add `encoder: {EXAMPLES['encoder']}`")
