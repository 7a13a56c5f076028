"""What a class takes: its arguments with types and defaults, from the signature alone."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from functools import cache
from typing import Any, get_type_hints

from jsonargparse import ArgumentParser

# our own: a default of inspect.Parameter.empty reads as no default to whoever inspects Argument itself
EMPTY: Any = object()


@dataclass(frozen=True)
class Argument:
    """One argument of a constructor; `default` is EMPTY where it must be given."""

    name: str
    hint: Any
    default: Any = EMPTY

    @property
    def required(self) -> bool:
        return self.default is EMPTY


@cache
def arguments(cls: type) -> dict[str, Argument]:
    """The arguments of a class by name, those behind `**kwargs` included where jsonargparse finds them."""
    parameters = inspect.signature(cls).parameters
    hints = _hints(cls)
    stated = {name: p for name, p in parameters.items() if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)}
    known = {
        name: Argument(name, hints.get(name, Any), EMPTY if p.default is p.empty else p.default)
        for name, p in stated.items()
    }
    if len(stated) < len(parameters):
        known |= {name: Argument(name, Any, None) for name in _parser_keys(cls) if name not in known}
    return known


def _hints(cls: type) -> dict[str, Any]:
    try:
        return get_type_hints(cls.__init__)
    except (NameError, TypeError, AttributeError):  # a third party's annotation that only its type checker can read
        return {}


def _parser_keys(cls: type) -> list[str]:
    return ArgumentParser(exit_on_error=False).add_class_arguments(cls, fail_untyped=False)
