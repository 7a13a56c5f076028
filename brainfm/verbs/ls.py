"""Lists what there is to compose: recipes, encoders, objectives, evaluators, baselines, studies and more."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from brainfm.grammar.known import header, leaves, recipes, studies
from brainfm.grammar.nearest import RecipeError, did_you_mean

EXAMPLES = """\
  brainfm ls                  everything
  brainfm ls recipes          the recipes that come with the package
  brainfm ls encoders         what `encoder.class_path` can be
"""
FAMILIES = {
    "encoders": "Encoder",
    "objectives": "Objective",
    "evaluators": "Evaluator",
    "baselines": "Baseline",
    "windows": "Rule",
    "splits": "Split",
    "samplers": "Sampler",
    "transforms": "Transform",
    "readers": "Reader",
}
KINDS = ("recipes", *FAMILIES, "studies")


def flags(parser: ArgumentParser) -> None:
    parser.add_argument("kind", nargs="?", metavar="KIND", help=f"one of {', '.join(KINDS)}; all where left out")


def run(args: Namespace) -> None:
    if args.kind is not None and args.kind not in KINDS:
        raise RecipeError(f"{args.kind!r} is nothing to list: {did_you_mean(args.kind, KINDS)}")
    for kind in [args.kind] if args.kind else KINDS:
        _print(kind, listed(kind))


def listed(kind: str) -> list[tuple[str, str]]:
    """Names and what they are, of one kind."""
    if kind == "recipes":
        return [(name, header(path)) for name, path in recipes().items()]
    if kind == "studies":
        return list(studies().items())
    return [(item.path, item.summary) for item in leaves(FAMILIES[kind])]


def _print(kind: str, rows: list[tuple[str, str]]) -> None:
    width = max((len(name) for name, _ in rows), default=0)
    print(f"{kind}:" if rows else f"{kind}: none")
    for name, summary in rows:
        print(f"  {name:{width}}  {summary}".rstrip())
