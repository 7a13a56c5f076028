"""Is the store there, and if not, which command makes it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from brainfm.grammar.nearest import RecipeError, nearest
from brainfm.hub import is_address


def check_present(recipe: Mapping[str, Any]) -> None:
    """The store and the checkpoint that a recipe names must exist; the error has the nearest one or the command."""
    for store, made_of in zip(stores_of(recipe), sources_of(recipe), strict=False):
        if "://" not in store and not Path(store).exists():
            raise RecipeError(
                f"data.init_args.store is {store!r}, which does not exist: {_near(store)}{_command(made_of, store)}"
            )
    start = recipe.get("init_from")
    if start and not is_address(start) and not Path(start).exists():
        hint = f"{_near(start)}name a run folder, such as runs/NAME, or one of its folds"
        raise RecipeError(f"init_from is {start!r}, which does not exist: {hint}")


def stores_of(recipe: Mapping[str, Any]) -> list[str]:
    """The paths of the recipe's stores: one, several that are read as one, or none."""
    data = recipe.get("data")
    store = (data.get("init_args") or {}).get("store") if isinstance(data, Mapping) else None
    return [] if store is None else [str(one) for one in (store if isinstance(store, list) else [store])]


def store_of(recipe: Mapping[str, Any]) -> str | None:
    """The path of the recipe's one store. Raises RecipeError where there are several."""
    stores = stores_of(recipe)
    if len(stores) > 1:
        raise RecipeError(f"data.init_args.store names {len(stores)} stores, expected one here: name one of {stores}")
    return stores[0] if stores else None


def sources_of(recipe: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What each of the stores is made of, as `prepare` says it: source, modality, sidecar; empty where nothing is said."""
    stated = recipe.get("prepare")
    listed = stated if isinstance(stated, list) else [stated]
    known = [one if isinstance(one, Mapping) else {} for one in listed]
    return known + [{}] * (len(stores_of(recipe)) - len(known))


def _near(path: str) -> str:
    """The nearest folder that exists, as a question; the folder above may be the misspelt one."""
    parent = Path(path).parent
    above = parent if parent.is_dir() else _nearest_beside(parent)
    best = _nearest_beside(Path(above) / Path(path).name) if above is not None else None
    return f"did you mean {str(best)!r}? Otherwise " if best is not None else ""


def _nearest_beside(path: Path) -> Path | None:
    if path.exists():
        return path
    names = [other.name for other in path.parent.iterdir() if other.is_dir()] if path.parent.is_dir() else []
    best = nearest(path.name, names)
    return path.parent / best if best is not None else None


def _command(prepare: Mapping[str, Any], store: str) -> str:
    flags = "".join(f" --{name} {prepare[name]}" for name in ("modality", "sidecar") if prepare.get(name))
    flags += f" --keep {shlex.quote(json.dumps(prepare['keep']))}" if prepare.get("keep") else ""
    return f"make it with `brainfm prepare {prepare.get('source') or 'FOLDER'} {store}{flags}`"
