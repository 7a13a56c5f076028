"""Annotations in words: does a plain value fit, what is expected, and what could be written instead."""

from __future__ import annotations

import collections.abc
import dataclasses
import inspect
import types
from pathlib import Path
from typing import Any, Literal, TypeGuard, Union, get_args, get_origin

from brainfm.grammar.known import leaves
from brainfm.grammar.locate import article
from brainfm.grammar.signature import EMPTY, arguments

_SEQUENCES = (
    list,
    tuple,
    set,
    frozenset,
    collections.abc.Sequence,
    collections.abc.Iterable,
    collections.abc.Collection,
)
_TABLES = (dict, collections.abc.Mapping)
_NAMES = {int: "int", float: "float", bool: "bool", str: "str", Path: "path", type(None): "null"}
_WRITE = {
    int: "write a whole number",
    float: "write a number",
    bool: "write true or false",
    str: "write text",
    Path: "write the path of a file or folder",
}


def options(hint: Any) -> list[Any]:
    """The members of a union, else the annotation itself."""
    return (
        [o for arg in get_args(hint) for o in options(arg)] if get_origin(hint) in (Union, types.UnionType) else [hint]
    )


def is_part(hint: Any) -> bool:
    """True for a class that a recipe names by class_path."""
    plain = (*_NAMES, *_SEQUENCES, *_TABLES, object, Any)
    return inspect.isclass(hint) and hint not in plain and not is_record(hint) and get_origin(hint) is None


def is_record(hint: Any) -> TypeGuard[type]:
    """True for a dataclass that a recipe writes as its fields, without class_path."""
    return inspect.isclass(hint) and dataclasses.is_dataclass(hint) and not inspect.isabstract(hint)


def is_sequence(hint: Any) -> bool:
    """True for lists and tuples of anything."""
    return hint in _SEQUENCES or get_origin(hint) in _SEQUENCES


def is_table(hint: Any) -> bool:
    """True for dicts and other mappings."""
    return hint in _TABLES or get_origin(hint) in _TABLES


def fits(value: Any, hint: Any) -> bool:
    """Whether a plain value can stand where an annotation is; what is no plain type is left to its class."""
    if get_origin(hint) in (Union, types.UnionType):
        return any(fits(value, choice) for choice in options(hint))
    if get_origin(hint) is Literal:
        return any(value == choice and type(value) is type(choice) for choice in get_args(hint))
    if hint in (int, float, bool, str, Path, type(None)):
        return _fits_plain(value, hint)
    if is_sequence(hint):
        inner = [arg for arg in get_args(hint) if arg is not Ellipsis]
        return isinstance(value, list | tuple) and (not inner or all(fits(item, inner[0]) for item in value))
    if is_table(hint) or is_record(hint):
        return isinstance(value, collections.abc.Mapping)
    if is_part(hint):
        return isinstance(value, collections.abc.Mapping | str) if _is_ours(hint) else isinstance(value, list)
    return True


def describe(hint: Any) -> str:
    """An annotation as a user would say it: `int`, `one of 'cos', 'linear'`, `a list of Transform`, `int or null`."""
    if get_origin(hint) in (Union, types.UnionType):
        # a tensor cannot be written in a recipe
        return " or ".join(
            dict.fromkeys(describe(choice) for choice in options(hint) if not is_part(choice) or _is_ours(choice))
        )
    if get_origin(hint) is Literal:
        return "one of " + ", ".join(repr(choice) for choice in get_args(hint))
    inner = [describe(arg) for arg in get_args(hint) if arg is not Ellipsis]
    if is_sequence(hint):
        fixed = get_origin(hint) is tuple and Ellipsis not in get_args(hint)
        return f"[{', '.join(inner)}]" if fixed and inner else f"a list of {inner[0]}" if inner else "a list"
    if is_table(hint):
        return f"names with {article(inner[1])} each" if len(inner) == 2 else "`key: value` lines"
    return _NAMES.get(hint) or getattr(hint, "__name__", str(hint))


def repair(hint: Any, default: Any = EMPTY) -> str:
    """What to write: the kind of value, with the default as an example where there is one."""
    choices = [choice for choice in options(hint) if choice is not type(None)]
    first = next((choice for choice in choices if choice in _WRITE), choices[0] if choices else hint)
    words = _WRITE.get(first) or f"write {_example(first)}"
    if default is EMPTY:
        return words + {int: ", for example 1", float: ", for example 1.0"}.get(first, "")
    return f"{words}, for example {_shown(default)} (the default)"


def _fits_plain(value: Any, hint: Any) -> bool:
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, str | Path) if hint is Path else isinstance(value, hint)


def _is_ours(hint: type) -> bool:
    """A class with a family in our packages, or one that only a class_path can name."""
    return inspect.isabstract(hint) or bool(leaves(hint.__name__))


def _example(hint: Any) -> str:
    if get_origin(hint) is Literal:
        return describe(hint)
    if is_record(hint):
        return "{" + ", ".join(f"{name}: ..." for name, a in arguments(hint).items() if a.required) + "}"
    if is_part(hint):
        known = leaves(hint.__name__)
        return f"{{class_path: {known[0].path if known else 'package.module.' + hint.__name__}}}"
    if is_table(hint) and len(get_args(hint)) == 2:
        return f"{{name: {_example(get_args(hint)[1])}}}"
    return f"[{_example(get_args(hint)[0])}, ...]" if is_sequence(hint) and get_args(hint) else describe(hint)


def _shown(default: Any) -> str:
    """A default as YAML writes it."""
    if default is None or isinstance(default, bool):
        return {None: "null", True: "true", False: "false"}[default]
    return str(list(default)) if isinstance(default, tuple) else str(default)
