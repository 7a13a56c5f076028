"""Builds a part of a recipe with plain jsonargparse, and finds the argument to blame where a constructor refuses."""

from __future__ import annotations

import copy
from argparse import ArgumentError
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from typing import Any, get_args

import yaml
from jsonargparse import ArgumentParser

from brainfm.grammar.hints import is_record, options, repair
from brainfm.grammar.locate import located_class
from brainfm.grammar.nearest import RecipeError
from brainfm.grammar.signature import arguments

Part = Mapping[str, Any]
# what constructors raise for a value they cannot work with; anything else is a fault of the program
REFUSALS = (ValueError, TypeError, RuntimeError, ArithmeticError, LookupError, OSError, ImportError, AssertionError)


def completed(
    part: Part, where: str, given: Mapping[str, Any] | None = None, passed: Collection[str] = ()
) -> dict[str, Any]:
    """The part with every default written out, as plain values.

    `given` are values from elsewhere, `passed` the arguments that will be objects, which no recipe can hold.
    """
    cls = located_class(part["class_path"], f"{where}.class_path")
    given = given or {}
    elsewhere = {*given, *passed}
    stated = {key: value for key, value in (part.get("init_args") or {}).items() if key not in elsewhere}
    parser, config = _parsed(cls, stated, where, elsewhere)
    plain = yaml.safe_load(parser.dump(config, skip_unset=False)) or {}
    values = {**plain, **given}
    return {
        "class_path": part["class_path"],
        "init_args": {name: values[name] for name in arguments(cls) if name in values},
    }


def build(part: Part, where: str, **passed: Any) -> Any:
    """The object that a part describes; `passed` are arguments that are objects already: an encoder, parameters."""
    cls = located_class(part["class_path"], f"{where}.class_path")
    values = dict(part.get("init_args") or {})
    try:
        return _made(cls, values, where, passed)
    except RecipeError:
        raise
    except REFUSALS as error:
        _blame(cls, values, f"{where}.init_args", passed, error)


def _made(cls: type, values: Mapping[str, Any], where: str, passed: Mapping[str, Any]) -> Any:
    parser, config = _parsed(cls, {k: v for k, v in values.items() if k not in passed}, where, set(passed))
    return cls(**{**vars(parser.instantiate(config)), **passed})


def _parsed(cls: type, values: Mapping[str, Any], where: str, skip: set[str]) -> tuple[ArgumentParser, Any]:
    parser = _parser(cls, frozenset(skip & set(arguments(cls))))
    try:
        # a copy: the parser puts its own objects into what it is given
        return parser, parser.parse_object(copy.deepcopy(dict(values)))
    except ArgumentError as error:
        raise RecipeError(f"{where}.init_args: {' '.join(str(error).split())}") from error


@cache
def _parser(cls: type, skip: frozenset[str]) -> ArgumentParser:
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(cls, skip=set(skip), fail_untyped=False)
    return parser


def _blame(cls: type, values: Mapping[str, Any], where: str, passed: Mapping[str, Any], error: Exception) -> None:
    """Raises the error where it belongs: the innermost part first, there the one argument whose default would do."""
    for inner, inner_values, place in _spots_of(cls, values, where):
        refused = _refusal(inner, inner_values, place, {})
        if refused is not None:
            raise _worded(inner, inner_values, place, {}, refused) from refused
    raise _worded(cls, values, where, passed, error) from error


def _refusal(cls: type, values: Mapping[str, Any], where: str, passed: Mapping[str, Any]) -> Exception | None:
    try:
        _made(cls, values, where, passed)
    except REFUSALS as error:
        return error
    return None


def _worded(
    cls: type, values: Mapping[str, Any], where: str, passed: Mapping[str, Any], error: Exception
) -> RecipeError:
    known = arguments(cls)
    message = str(error) or type(error).__name__
    stated = [key for key, value in values.items() if not known[key].required and value != known[key].default]
    mended = (
        key for key in stated if _refusal(cls, {k: v for k, v in values.items() if k != key}, where, passed) is None
    )
    guilty = next(mended, None) or next((key for key in values if key in message.split()), None)
    if guilty is None:
        return RecipeError(f"{where.removesuffix('.init_args')}: {message}")
    advice = repair(known[guilty].hint, known[guilty].default)
    named = message if guilty in message else f"{guilty} is {values[guilty]!r}: {message}"
    return RecipeError(
        f"{where}.{guilty}: {named}"
        if "for example" in named or "such as" in named or known[guilty].required
        else f"{where}.{guilty}: {named}; {advice}"
    )


def _spots_of(cls: type, values: Mapping[str, Any], where: str) -> Iterator[tuple[type, Mapping[str, Any], str]]:
    """Everything that is built for the arguments of a class, the innermost first."""
    for key, value in values.items():
        yield from _spots(value, arguments(cls)[key].hint, f"{where}.{key}")


def _spots(value: Any, hint: Any, where: str) -> Iterator[tuple[type, Mapping[str, Any], str]]:
    inner = [arg for choice in options(hint) for arg in get_args(choice)]
    item_hint = inner[-1] if inner else Any
    if isinstance(value, list | tuple):
        for i, item in enumerate(value):
            yield from _spots(item, item_hint, f"{where}[{i}]")
    elif isinstance(value, Mapping):
        yield from _spots_in_mapping(value, hint, item_hint, where)


def _spots_in_mapping(
    value: Mapping[str, Any], hint: Any, item_hint: Any, where: str
) -> Iterator[tuple[type, Mapping[str, Any], str]]:
    record = next((o for o in options(hint) if is_record(o)), None)
    if "class_path" in value:
        cls, args, place = located_class(value["class_path"], where), value.get("init_args") or {}, f"{where}.init_args"
    elif record is not None:
        cls, args, place = record, value, where
    else:
        for key, item in value.items():
            yield from _spots(item, item_hint, f"{where}.{key}")
        return
    yield from _spots_of(cls, args, place)
    yield cls, args, place
