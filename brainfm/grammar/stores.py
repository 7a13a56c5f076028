"""Is the store there, and if not, which command makes it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from brainfm.grammar.nearest import RecipeError, nearest


def check_present(recipe: Mapping[str, Any]) -> None:
    """The store and the checkpoint that a recipe names must exist; the error has the nearest one or the command."""
    store = store_of(recipe)
    if store is not None and "://" not in store and not Path(store).exists():
        raise RecipeError(
            f"data.init_args.store is {store!r}, which does not exist: {_near(store)}{_command(recipe, store)}"
        )
    start = recipe.get("init_from")
    if start and not Path(start).exists():
        hint = f"{_near(start)}name a run folder, such as runs/NAME, or one of its folds"
        raise RecipeError(f"init_from is {start!r}, which does not exist: {hint}")


def store_of(recipe: Mapping[str, Any]) -> str | None:
    """The path of the recipe's store, where its data read from one."""
    data = recipe.get("data")
    store = (data.get("init_args") or {}).get("store") if isinstance(data, Mapping) else None
    return str(store) if store is not None else None


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


def _command(recipe: Mapping[str, Any], store: str) -> str:
    prepare = recipe.get("prepare")
    prepare = prepare if isinstance(prepare, Mapping) else {}
    flags = "".join(f" --{name} {prepare[name]}" for name in ("modality", "sidecar") if prepare.get(name))
    return f"make it with `brainfm prepare {prepare.get('source') or 'FOLDER'} {store}{flags}`"
