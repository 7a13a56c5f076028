"""Checks what a recipe says against the signatures it names, before anything is built, and says how to mend it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, get_args, get_origin

from brainfm.grammar.hints import describe, fits, is_part, is_record, is_sequence, is_table, options, repair
from brainfm.grammar.known import leaves
from brainfm.grammar.locate import article, located_class
from brainfm.grammar.nearest import RecipeError, UnknownArgumentError, did_you_mean, nearest
from brainfm.grammar.signature import EMPTY, arguments

PART_KEYS = ("class_path", "init_args")


def check_part(part: Any, where: str, base: type | None = None, given: Collection[str] | None = ()) -> None:
    """A part must name a class of its family and give it arguments it takes.

    `given` are the arguments that come from elsewhere; None where that is not known yet, so that nothing is missed.
    """
    part = {"class_path": part} if isinstance(part, str) else part
    if isinstance(part, list) and len(part) == 1:
        raise RecipeError(f"{where} is a list, expected {_noun(base)}: write it without the dash or brackets")
    if not isinstance(part, Mapping):
        raise RecipeError(f"{where} is {part!r}, expected {_noun(base)}: write {_example(base)}")
    _check_keys(part, where, base)
    cls = located_class(_text(part["class_path"], f"{where}.class_path", base), f"{where}.class_path", base)
    check_arguments(part.get("init_args"), cls, f"{where}.init_args", given)


def check_arguments(values: Any, cls: type, where: str, given: Collection[str] | None = ()) -> None:
    """Each argument must be one of the class's, of its type, and none that it needs may be missing."""
    values = {} if values is None else values
    owner = f"{cls.__module__}.{cls.__qualname__}"
    if not isinstance(values, Mapping):
        raise RecipeError(
            f"{where} is {values!r}, expected the arguments of {owner} as `key: value`: write {{{_needed(cls)}}}"
        )
    known = arguments(cls)
    for key, value in values.items():
        if key not in known:
            raise UnknownArgumentError(f"{where}.{key}", str(key), owner, known)
        check_value(value, known[key].hint, f"{where}.{key}", known[key].default)
    if given is None:
        return
    for name, argument in known.items():
        if argument.required and name not in values and name not in given:
            expected = describe(argument.hint)
            raise RecipeError(f"{where} lacks {name!r}, which {owner} needs ({expected}): {repair(argument.hint)}")


def check_value(value: Any, hint: Any, where: str, default: Any = EMPTY) -> None:
    """A value must fit its annotation; parts, lists and tables are checked all the way in."""
    choices = options(hint)
    if value is None and (type(None) in choices or default is None):
        return
    choices = [choice for choice in choices if choice is not type(None)]
    for choice in choices:
        if _is_meant(value, choice, only=len(choices) == 1):
            return _check_inside(value, choice, where)
    if not any(fits(value, choice) for choice in choices):
        _refuse(value, hint, where, default)


def _is_meant(value: Any, choice: Any, only: bool) -> bool:
    """True where a value of this shape can only have been meant as this choice."""
    if is_part(choice):
        return isinstance(value, Mapping) or (only and isinstance(value, str | list))
    if is_table(choice) or is_record(choice):
        return isinstance(value, Mapping)
    return is_sequence(choice) and isinstance(value, list | tuple)


def _check_inside(value: Any, choice: Any, where: str) -> None:
    inner = get_args(choice)
    if is_part(choice):
        check_part(value, where, choice)
    elif is_record(choice):
        check_arguments(value, choice, where)
    elif is_table(choice):
        _check_names(value, inner[1] if len(inner) == 2 else Any, where)
        for key, item in value.items():
            check_value(item, inner[1] if len(inner) == 2 else Any, f"{where}.{key}")
    else:
        _check_items(value, choice, where)


def _check_items(value: Any, choice: Any, where: str) -> None:
    inner = [item for item in get_args(choice) if item is not Ellipsis]
    fixed = get_origin(choice) is tuple and Ellipsis not in get_args(choice) and inner
    if fixed and len(inner) != len(value):
        raise RecipeError(f"{where} has {len(value)} values, expected {len(inner)}: write {describe(choice)}")
    for i, item in enumerate(value):
        check_value(item, inner[i] if fixed else (inner[0] if inner else Any), f"{where}[{i}]")


def _check_names(table: Mapping[str, Any], hint: Any, where: str) -> None:
    """A table of parts that lacks its level of names: `fields: {start: 0, stop: 4}`."""
    if not is_record(hint):
        return
    known = set(arguments(hint))
    if table and all(not isinstance(item, Mapping) for item in table.values()) and known & set(table):
        inside = ", ".join(f"{key}: {item}" for key, item in table.items())
        named = f"{where.rpartition('.')[2]}: {{signal: {{{inside}}}}}"
        raise RecipeError(f"{where} holds a {hint.__name__} without a name: write {named}")


def _check_keys(part: Mapping[str, Any], where: str, base: type | None) -> None:
    """A part has the keys class_path and init_args, and an argument beside them belongs inside."""
    for key in part:
        if key in PART_KEYS:
            continue
        meant = nearest(str(key), [k for k in PART_KEYS if k not in part], 0.6)
        if meant:
            raise RecipeError(f"{where}.{key} is not a key of a part: did you mean {meant!r}?")
        raise RecipeError(f"{where}.{key} {_misplaced(part, str(key), where)}")
    if "class_path" not in part:
        raise RecipeError(f"{where} has no class_path: write {_example(base)}")


def _misplaced(part: Mapping[str, Any], key: str, where: str) -> str:
    if "class_path" not in part:
        repair = f"name the class of {where} by class_path and put {key!r} into its init_args"
        return f"is not a key of a part (class_path, init_args): {repair}"
    known = arguments(located_class(str(part["class_path"]), f"{where}.class_path"))
    if key in known:
        return f"stands beside class_path, but is an argument of {part['class_path']}: move it into init_args"
    return f"is not a key of a part (class_path, init_args): {did_you_mean(key, known)} (inside init_args)"


def _refuse(value: Any, hint: Any, where: str, default: Any) -> None:
    if not isinstance(value, list | Mapping) and any(is_sequence(o) and fits([value], o) for o in options(hint)):
        raise RecipeError(f"{where} is {value!r}, expected {describe(hint)}: put it into a list, [{value}]")
    if isinstance(value, Mapping) and any(is_sequence(choice) for choice in options(hint)):
        raise RecipeError(f"{where} is one entry, expected {describe(hint)}: put it into a list, [{{...}}]")
    if isinstance(value, str) and _unquoted(value, hint) is not None:
        raise RecipeError(
            f"{where} is the text {value!r}, expected {describe(hint)}: write {_unquoted(value, hint)} without quotes"
        )
    if not isinstance(value, str | list | Mapping) and fits(str(value), hint):
        raise RecipeError(f"{where} is {value!r}, expected {describe(hint)}: write it in quotes, '{value}'")
    raise RecipeError(f"{where} is {value!r}, expected {describe(hint)}: {repair(hint, default)}")


def _unquoted(value: str, hint: Any) -> Any:
    for kind in (int, float):
        try:
            number = kind(value)
        except ValueError:
            continue
        if any(fits(number, choice) for choice in options(hint)):
            return number
    return {"true": True, "false": False}.get(value.lower()) if bool in options(hint) else None


def _text(path: Any, where: str, base: type | None) -> str:
    if not isinstance(path, str):
        raise RecipeError(f"{where} is {path!r}, expected the dotted path of {_noun(base)}: write {_example(base)}")
    return path


def _noun(base: type | None) -> str:
    return article(base.__name__) if base else "a part"


def _example(base: type | None) -> str:
    known = leaves(base.__name__) if base else ()
    return f"{{class_path: {known[0].path if known else 'package.module.Class'}}}"


def _needed(cls: type) -> str:
    return ", ".join(f"{name}: ..." for name, a in arguments(cls).items() if a.required) or "key: value"
