"""A recipe: data, encoder, objective, evaluators and how to train, read from YAML, checked, completed and built."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import nn

from brainfm.files import written
from brainfm.grammar.debugging import few_windows, shortened
from brainfm.grammar.locate import located_class
from brainfm.grammar.nearest import RecipeError
from brainfm.grammar.parts import build, completed
from brainfm.grammar.read import Overrides, layered, located, overridden, read
from brainfm.grammar.resolve import (
    facts_of,
    first_argument,
    opened,
    relinked,
    resolved_model,
    resolved_training,
    spelled_out,
)
from brainfm.grammar.signature import arguments
from brainfm.grammar.stores import check_present
from brainfm.grammar.whole import EXAMPLES, TRAINING, check_recipe

_KEPT = ("seed", "name", "init_from", "init_new", "freeze", "prepare", "grid", "debug")


@dataclass(frozen=True)
class Recipe:
    """A checked recipe with its parts built. `resolved` holds every value: defaults, and what the data settled.

    >>> recipe = Recipe.read(["recipes/quickstart.yaml"])  # doctest: +SKIP
    >>> recipe.resolved["encoder"]["init_args"]["n_chans"]  # doctest: +SKIP
    96
    """

    resolved: dict[str, Any]
    data: Any
    objective: Any
    evaluators: list[Any]

    @classmethod
    def read(
        cls,
        paths: Sequence[Path | str],
        overrides: Overrides = (),
        debug: bool = False,
        from_run: Path | str | None = None,
    ) -> Recipe:
        """Lays recipe files over each other, then `overrides`. Raises RecipeError that says how to mend what is wrong.

        With `from_run` the recipe of a finished run lies below: its model stays, and `paths` bring the data.
        """
        below = _below(from_run)
        raw, origin = dict(below), str(from_run)
        for path in map(Path, paths):
            raw, origin = layered(raw, {"name": path.stem, **read(path)}), str(path)
        raw = overridden(raw, overrides)
        try:
            return cls.of(raw | ({"debug": True} if debug else {}), below)
        except RecipeError as error:
            raise RecipeError(f"{_flag(str(error), located(raw, overrides)) or origin}: {error}") from error

    @classmethod
    def of(cls, recipe: Mapping[str, Any], below: Mapping[str, Any] | None = None) -> Recipe:
        """Checks, completes and builds a plain dict; what the data settled for the recipe `below` is settled anew."""
        raw = shortened(recipe) if recipe.get("debug") is True else dict(recipe)
        check_recipe(raw)
        raw = spelled_out(raw)
        check_present(raw)
        part = completed(raw["data"], "data")
        data = few_windows(opened(part)) if raw.get("debug") else opened(part)
        facts = facts_of(data)
        resolved = {"data": part, **resolved_model(raw, data, facts, below or {}), **resolved_training(raw), "seed": 0}
        resolved |= {key: raw[key] for key in _KEPT if raw.get(key) is not None}
        objective = _objective(resolved, data, _even_counts(facts.get("n_outputs", 1)))
        _try_training(resolved, objective)
        return cls(resolved, data, objective, _evaluators(resolved))

    @property
    def optimizer(self) -> dict[str, Any] | None:
        return self.resolved.get("optimizer")

    @property
    def scheduler(self) -> dict[str, Any] | None:
        return self.resolved.get("scheduler")

    @property
    def trainer(self) -> dict[str, Any]:
        """The fields of `brainfm.systems.training.Training`."""
        return self.resolved["trainer"]

    @property
    def seed(self) -> int:
        return self.resolved["seed"]

    @property
    def name(self) -> str:
        """The name of the run folder: the recipe's own, or that of its file."""
        return self.resolved.get("name", "run")

    @property
    def init_from(self) -> str | None:
        return self.resolved.get("init_from")

    @property
    def debug(self) -> bool:
        return bool(self.resolved.get("debug"))

    def fresh_objective(self) -> Any:
        """The objective with new weights, from torch's current seed, and the current fold's counts of classes."""
        counted = any(name in self.resolved["objective"]["init_args"] for name in _even_counts(1))
        return _objective(self.resolved, self.data, self.data.fold_facts() if counted else {})

    def fresh_evaluators(self) -> list[Any]:
        """The evaluators, having seen nothing."""
        return _evaluators(self.resolved)

    def rehearse(self) -> dict[str, float]:
        """Runs one training batch of the first fold through the objective, and returns its losses. Raises RecipeError."""
        self.data.use(0, self.seed)
        batch = next(iter(self.data.train_dataloader()))
        objective = self.fresh_objective()
        try:
            losses = {name: value.item() for name, value in objective.loss(batch).items()}
            objective.eval().predict(batch)
        except (ValueError, RuntimeError) as error:
            names = " and ".join(
                self.resolved[key]["class_path"] for key in ("encoder", "objective") if key in self.resolved
            )
            raise RecipeError(f"one batch does not go through {names}: {error}") from error
        return losses

    def text(self) -> str:
        """The resolved recipe as YAML."""
        return yaml.safe_dump(self.resolved, sort_keys=False, allow_unicode=True)

    def save(self, path: Path) -> None:
        """Writes the resolved recipe; read back, it gives the same again."""
        with written(path) as part:
            part.write_text(self.text(), encoding="utf-8")


def _below(run: Path | str | None) -> dict[str, Any]:
    """The recipe of a run to start from, without what belonged to its data alone."""
    if run is None:
        return {}
    path = Path(run)
    recipe = read(path / "recipe.yaml" if path.is_dir() else path)
    return relinked({key: value for key, value in recipe.items() if key not in ("name", "prepare", "debug")})


def _flag(message: str, flags: Mapping[str, str]) -> str | None:
    """The command-line flag that an error is about, if it is."""
    place = message.split()[0]
    return next((f"command line, {flag}" for where, flag in flags.items() if place.startswith(where)), None)


def _objective(resolved: Mapping[str, Any], data: Any, counts: Mapping[str, Any]) -> nn.Module:
    taken = arguments(located_class(resolved["objective"]["class_path"], "objective.class_path"))
    passed = {name: value for name, value in counts.items() if name in taken}
    if resolved.get("encoder"):
        passed["encoder"] = encoder = build(resolved["encoder"], "encoder")
        _check_channels(data, encoder)
    return build(resolved["objective"], "objective", **passed)


def _even_counts(n_outputs: int) -> dict[str, Any]:
    """What stands in for the counts on a training part while no fold is in use."""
    return {"class_counts": [1] * n_outputs, "target_mean": [0.0] * n_outputs, "target_std": [1.0] * n_outputs}


def _check_channels(data: Any, encoder: Any) -> None:
    try:
        data.check_channels(encoder.channels)
    except ValueError as error:
        raise RecipeError(f"encoder: {error}") from error


def _evaluators(resolved: Mapping[str, Any]) -> list[Any]:
    return [build(part, f"evaluators[{i}]") for i, part in enumerate(resolved["evaluators"])]


def _try_training(resolved: Mapping[str, Any], objective: nn.Module) -> None:
    """Builds trainer, optimizer and scheduler once, so that a bad value is refused at once."""
    try:
        build({"class_path": TRAINING, "init_args": resolved["trainer"]}, "trainer")
    except RecipeError as error:
        raise RecipeError(str(error).replace("trainer.init_args", "trainer")) from error
    part = resolved.get("optimizer")
    if part is None:
        if _learns(objective):
            example = EXAMPLES["optimizer"]
            raise RecipeError(
                f"optimizer is missing, and the objective has parameters that learn: add `optimizer: {example}`"
            )
        return
    optimizer = build(part, "optimizer", **{first_argument(part): [nn.Parameter(torch.zeros(1))]})
    if resolved.get("scheduler"):
        build(resolved["scheduler"], "scheduler", **{first_argument(resolved["scheduler"]): optimizer})


def _learns(objective: nn.Module) -> bool:
    """Whether gradients train it; a closed form is solved."""
    return not getattr(objective, "closed_form", False) and any(
        weight.requires_grad for weight in objective.parameters()
    )
