"""Recipes as written: YAML files laid over each other, and `--key.sub value` laid over them, as one plain dict."""

from __future__ import annotations

import copy
import re
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any

import yaml

from brainfm.grammar.known import recipes
from brainfm.grammar.nearest import RecipeError, did_you_mean, nearest

Overrides = Sequence[tuple[str, str]]


class _Loader(yaml.SafeLoader):
    """YAML in which 1e-3 is a number and a key stands once."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        twice = next((key for i, key in enumerate(keys) if key in keys[:i]), None)
        if twice is not None:
            raise yaml.MarkedYAMLError(
                problem=f"the key {twice!r} stands twice: keep one", problem_mark=node.start_mark
            )
        return super().construct_mapping(node, deep)


_FLOAT = re.compile(r"^[-+]?(\d[\d_]*\.?\d*|\.\d+)[eE][-+]?\d+$")
_Loader.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+.0123456789"))


def load(text: str, origin: str) -> Any:
    """YAML text as plain values; a mistake in it is named with its line."""
    try:
        return yaml.load(text, _Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise RecipeError(f"{origin}, line {line}: {_yaml_repair(error, text.splitlines(), line)}") from None
    except yaml.YAMLError as error:
        raise RecipeError(f"{origin}: {error}") from None


def read(path: Path) -> dict[str, Any]:
    """One recipe file, or one that comes with the package by its name (`quickstart`)."""
    if not path.is_file():
        path = _shipped(path)
    value = load(path.read_text(encoding="utf-8"), str(path))
    if not isinstance(value, dict):
        raise RecipeError(f"{path} holds {type(value).__name__}, expected `key: value` lines: begin with `data:`")
    return value


def layered(recipe: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """`other` laid over `recipe`. A part that names its class replaces the old one whole: nothing of it survives."""
    result = dict(recipe)
    for key, value in other.items():
        old = result.get(key)
        if isinstance(old, dict) and isinstance(value, dict) and "class_path" not in value:
            result[key] = layered(old, value)
        else:
            result[key] = copy.deepcopy(value)
    return result


def overridden(recipe: dict[str, Any], overrides: Overrides) -> dict[str, Any]:
    """The recipe with `data.init_args.batch_size` or, shorter, `data.batch_size` set from the command line."""
    result = copy.deepcopy(recipe)
    for key, text in overrides:
        _set(result, key.split("."), load(text, f"--{key}"), f"--{key}")
    return result


def located(recipe: dict[str, Any], overrides: Overrides) -> dict[str, str]:
    """For each override, the place in the recipe where its value stands."""
    return {".".join(_place(recipe, key.split("."))): f"--{key}" for key, _ in overrides}


def _set(recipe: dict[str, Any], keys: list[str], value: Any, flag: str) -> None:
    node: Any = recipe
    *path, last = _place(recipe, keys)
    for key in path:
        node = _step(node, key, flag)
    old = _step(node, last, flag) if isinstance(node, list) else node.get(last)
    if isinstance(old, dict) and "class_path" in old and isinstance(value, str):
        value = {"class_path": value}
    if isinstance(node, list):
        node[int(last)] = value
    else:
        node[last] = value


def _place(recipe: dict[str, Any], keys: list[str]) -> list[str]:
    """The keys with `init_args` put in where a part stands."""
    place: list[str] = []
    node: Any = recipe
    for key in keys:
        if isinstance(node, dict) and "class_path" in node and key not in ("class_path", "init_args"):
            place.append("init_args")
            node = node.get("init_args") or {}
        place.append(key)
        node = _peek(node, key)
    return place


def _peek(node: Any, key: str) -> Any:
    if isinstance(node, list):
        return node[int(key)] if key.isdigit() and int(key) < len(node) else None
    return node.get(key) if isinstance(node, dict) else None


def _step(node: Any, key: str, flag: str) -> Any:
    if isinstance(node, list):
        if not key.isdigit() or int(key) >= len(node):
            raise RecipeError(
                f"{flag}: {key!r} is not one of the {len(node)} entries: write a number from 0 to {len(node) - 1}"
            )
        return node[int(key)]
    if node.get(key) is None:
        node[key] = {}
    if not isinstance(node[key], dict | list):
        raise RecipeError(f"{flag}: {key} is {node[key]!r} and holds no keys: leave out what follows {key!r}")
    return node[key]


def _shipped(path: Path) -> Path:
    """The recipe of that name in the package; else the error with the nearest file or name."""
    known = recipes()
    name = path.with_suffix("").as_posix()
    bare = [key for key in known if key.rpartition("/")[2] == name]
    if name in known or len(bare) == 1:
        return known[name if name in known else bare[0]]
    beside = [str(file) for file in path.parent.glob("*.y*ml")] if path.parent.is_dir() else []
    by_stem = {Path(other).stem: other for other in [*known, *beside]}
    best = nearest(str(path), beside) or by_stem.get(nearest(path.stem, by_stem) or "")
    hint = (
        f"did you mean {best!r}?" if best else did_you_mean(name, known) + " (`brainfm ls recipes` shows what they do)"
    )
    raise RecipeError(f"the recipe {str(path)!r} does not exist: {hint}")


def _yaml_repair(error: yaml.MarkedYAMLError, lines: list[str], line: int) -> str:
    """The parser's complaint with what usually mends it."""
    text = lines[line - 1] if line <= len(lines) else ""
    problem = error.problem or "not YAML"
    if "\t" in text:
        return "a tab stands where YAML wants spaces: write two spaces instead"
    if "stands twice" in problem:
        return problem
    missing_colon = re.match(r"\s*(\w+) +[\[{\w]", lines[line - 2]) if line >= 2 else None
    if "could not find expected ':'" in problem and missing_colon:
        return f"a key has no colon: write `{missing_colon[1]}:`"
    repair = "close every bracket and quote, and write `key: value` with a space after the colon"
    return f"{problem} (near {text.strip()!r}): {repair}"
