"""`--debug`: the same recipe on few windows of one fold for few steps, so that a mistake shows within a minute."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np

from brainfm.grammar.locate import located_class
from brainfm.grammar.nearest import RecipeError
from brainfm.grammar.resolve import relinked
from brainfm.grammar.signature import arguments

MAX_STEPS, BATCH, REPEATS = 10, 16, 20
_STRETCH = 32
WINDOWS = {"train": 128, "val": 64, "test": 64}


def shortened(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """The recipe with at most 10 steps of 16 windows and 20 permutations or bootstraps."""
    short = relinked(recipe)
    trainer = dict(short.get("trainer") or {})
    short["trainer"] = trainer | {"max_steps": _least(trainer.get("max_steps"), MAX_STEPS), "val_every": None}
    short["data"] = _limited(short.get("data"), {"batch_size": BATCH})
    evaluators = short.get("evaluators")
    if isinstance(evaluators, list):
        short["evaluators"] = [
            _limited(part, {"n_permutations": REPEATS, "n_bootstraps": REPEATS}) for part in evaluators
        ]
    return short


def few_windows(data: Any) -> Any:
    """Keeps the first fold, and of each of its parts a few windows drawn once at random."""
    fold = data.folds[0]
    assert is_dataclass(fold)
    assert not isinstance(fold, type)
    # what is drawn in several views is paired in time, so windows stay together in stretches
    together = _STRETCH if data.sampler.n_views > 1 else 1
    few = {
        name: _some(getattr(fold, name), n, together)
        for name, n in WINDOWS.items()
        if name in {field.name for field in fields(fold)}
    }
    data.folds = [replace(fold, **few)]
    return data


def _some(windows: Any, n: int, together: int) -> Any:
    if len(windows) <= n:
        return windows
    if together == 1:
        return windows.take(np.sort(np.random.default_rng(0).choice(len(windows), n, replace=False)))
    starts = np.linspace(0, len(windows) - together, n // together).astype(np.int64)
    return windows.take(np.unique(starts[:, None] + np.arange(together)))


def _limited(part: Any, limits: Mapping[str, int]) -> Any:
    """The part with its numbers cut down where its class takes them; what is wrong is left for the check."""
    if not isinstance(part, Mapping) or not isinstance(part.get("init_args") or {}, Mapping):
        return part
    try:
        known = arguments(located_class(str(part.get("class_path")), ""))
    except RecipeError:
        return part
    stated = part.get("init_args") or {}
    small = {
        name: _least(stated.get(name, known[name].default), limit) for name, limit in limits.items() if name in known
    }
    return {**part, "init_args": {**stated, **small}}


def _least(value: Any, limit: int) -> Any:
    """The smaller of two; a value that is no number is left for the check to refuse."""
    if value is None:
        return limit
    return min(value, limit) if isinstance(value, int) else value
