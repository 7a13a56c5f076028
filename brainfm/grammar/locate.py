"""From a dotted path to its class, or to the nearest path that has one."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from importlib.util import find_spec
from typing import Any

from brainfm.grammar.known import PACKAGES, classes, leaves
from brainfm.grammar.nearest import RecipeError, nearest


def located_class(path: str, where: str, base: type | None = None) -> Any:
    """The class at `path`, which must be of the family `base`; the error names the nearest one of it."""
    found = _found(path, where)
    if found is None:
        raise RecipeError(f"{where} is {path!r}, which does not exist: {_meant(path, base)}")
    if not inspect.isclass(found):
        raise RecipeError(f"{where} is {path!r}, which is no class: {_meant(path, base)}")
    if base is not None and not issubclass(found, base):
        raise RecipeError(f"{where} is {path!r}, expected {article(base.__name__)}: {_meant(path, base)}")
    if inspect.isabstract(found):
        raise RecipeError(f"{where} is {path!r}, which is abstract: {_meant('', found)}")
    return found


def _found(path: str, where: str) -> Any:
    module, _, name = path.rpartition(".")
    try:
        return getattr(importlib.import_module(module), name, None) if module else None
    except ModuleNotFoundError as error:
        if error.name and not f"{module}.".startswith(f"{error.name}."):
            raise RecipeError(f"{where} is {path!r}, which needs {error.name}: `pip install {error.name}`") from None
        return None


def _meant(path: str, base: type | None) -> str:
    """The nearest class of the family, else of the library that the path begins with."""
    family = [known.path for known in leaves(base.__name__)] if base else [k.path for k in classes() if not k.abstract]
    best = path and (_by_name(path, family) or _walked(path.split("."), base) or nearest(path, family, 0.75))
    if best and best != path:
        return f"did you mean {best!r}?"
    if base and family:
        return f"write one of {', '.join(family)}"
    return "write a dotted path to a class, such as torch.optim.AdamW"


def _by_name(path: str, known: list[str]) -> str | None:
    """A class of the same or nearly the same name, wherever it lives."""
    names = {other.rpartition(".")[2]: other for other in known}
    name = path.rpartition(".")[2]
    return names.get(name) or names.get(nearest(name, names, 0.75) or "")


def _walked(parts: list[str], base: type | None) -> str | None:
    """Follows a path into an installed library, mending each step that leads nowhere."""
    root = parts[0] if _importable(parts[0]) else nearest(parts[0], ("torch", "lightning", *PACKAGES), 0.7)
    if root is None or len(parts) < 2:
        return None
    trail, node = [root], importlib.import_module(root)
    for part in parts[1:]:
        names = [name for name in {*dir(node), *_modules_in(node)} if not name.startswith("_")]
        step = part if part in names else nearest(part, names)
        if step is None:
            return None
        trail.append(step)
        node = getattr(node, step, None) or importlib.import_module(".".join(trail))
    return ".".join(trail) if inspect.isclass(node) and issubclass(node, base or object) else None


def _importable(name: str) -> bool:
    return bool(name.isidentifier() and find_spec(name))


def _modules_in(node: Any) -> list[str]:
    return [module.name for module in pkgutil.iter_modules(getattr(node, "__path__", []))]


def article(noun: str) -> str:
    """The noun with its a or an."""
    return f"{'an' if noun[:1] in 'AEIOU' else 'a'} {noun}"
