"""The `brainfm` command: finds the verb, and turns what a user got wrong into one line. Imports neither torch nor lightning."""

from __future__ import annotations

import re
import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Collection, Sequence
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Any, ClassVar, NoReturn

from brainfm.grammar.nearest import nearest

VERBS = (
    "quickstart", "inspect", "download", "prepare", "features", "data", "ls", "cp",
    "validate", "fit", "evaluate", "predict", "generate", "couplings", "scale", "report", "publish",
)  # fmt: skip
# the flat keys of a recipe, each of which can be set as a flag
KEYS = (
    "data", "encoder", "objective", "evaluators", "optimizer", "scheduler",
    "trainer", "seed", "name", "init_from", "init_new", "freeze", "grid",
)  # fmt: skip


class _Parser(ArgumentParser):
    """An argument parser that names the nearest right flag or verb; `flags` are those of all verbs, `own` those of each."""

    flags: ClassVar[set[str]] = {f"--{key}" for key in KEYS}
    own: ClassVar[dict[str, set[str]]] = {}

    def error(self, message: str) -> NoReturn:
        slip = re.search(r"invalid choice: '(.+?)'|(--[\w.-]+)", message)
        choice, flag = slip.groups() if slip and "required" not in message else (None, None)
        best = nearest(choice or flag or "", VERBS if choice else self.flags)
        hint = f": did you mean {best}?" if best and best != flag else ""
        self.exit(2, f"error: {message.partition(' (choose')[0]}{hint} (`{self.prog} --help`)\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code: 2 where the user has something to mend."""
    argv = list(sys.argv[1:] if argv is None else argv)
    top = parser()
    rest, overrides = split(argv, _Parser.own.get(argv[0] if argv else "", ()))
    args = top.parse_args(rest)
    args.overrides, args.argv = overrides, argv
    if overrides and not getattr(args, "overridable", False):
        top.error(f"brainfm {args.verb} takes no values of a recipe: leave out --{overrides[0][0]}")
    try:
        import_module(f"brainfm.verbs.{args.verb}").run(args)
    except (ValueError, OSError) as error:
        if args.traceback:
            raise
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped: the same command goes on from here", file=sys.stderr)
        return 130
    return 0


def parser() -> ArgumentParser:
    """The parser of the command with all its verbs."""
    top = _Parser(
        prog="brainfm", allow_abbrev=False, formatter_class=RawDescriptionHelpFormatter,
        description="Turns recordings of brains into trained models and honest numbers.",
        epilog="begin with `brainfm quickstart`; `brainfm VERB --help` has examples.",
    )  # fmt: skip
    top.add_argument("--version", action="version", version=_version())
    verbs = top.add_subparsers(dest="verb", required=True, metavar="VERB")
    for verb in VERBS:
        _add(verbs, verb)
    return top


def split(argv: Sequence[str], own: Collection[str] = ()) -> tuple[list[str], list[tuple[str, str]]]:
    """Takes `--key.sub value` and `--key.sub=value` out of the arguments: what sets a value of the recipe.

    `own` are flags that the verb itself has, which stay: `brainfm features --name`.

    >>> split(["fit", "--config", "a.yaml", "--data.batch_size", "32", "--seed=1"])
    (['fit', '--config', 'a.yaml'], [('data.batch_size', '32'), ('seed', '1')])
    """
    rest: list[str] = []
    overrides: list[tuple[str, str]] = []
    words = iter(argv)
    for word in words:
        key, equals, value = word.removeprefix("--").partition("=")
        if not word.startswith("--") or f"--{key}" in own or ("." not in key and key not in KEYS):
            rest.append(word)
        elif equals:
            overrides.append((key, value))
        elif (following := next(words, None)) is not None:
            overrides.append((key, following))
        else:
            parser().error(f"{word} has no value: write {word} VALUE")
    return rest, overrides


def _add(verbs: Any, verb: str) -> None:
    module = import_module(f"brainfm.verbs.{verb}")
    what = str(module.__doc__)
    sub = verbs.add_parser(
        verb, help=what, description=what, allow_abbrev=False, formatter_class=RawDescriptionHelpFormatter,
        epilog=f"examples:\n{module.EXAMPLES}",
    )  # fmt: skip
    module.flags(sub)
    _Parser.own[verb] = {flag for action in sub._actions for flag in action.option_strings}
    _Parser.flags.update(_Parser.own[verb])
    sub.add_argument("--traceback", action="store_true", help="show where in the program an error came from")


def _version() -> str:
    try:
        return f"brainfm {version('brainfm')}"
    except PackageNotFoundError:
        return "brainfm, not installed"
