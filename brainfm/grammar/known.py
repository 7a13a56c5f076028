"""What there is to compose: the classes and recipes that come with the package, found without importing one of them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PACKAGES = ("brainfm", "data_loaders")


@dataclass(frozen=True)
class Known:
    """A public class as its source shows it: `bases` are bare names, `summary` the first line of its docstring."""

    path: str
    name: str
    bases: tuple[str, ...]
    summary: str
    abstract: bool


@cache
def classes(*packages: str) -> tuple[Known, ...]:
    """Every public class below these packages, in order of their paths; all of brainfm and data_loaders by default."""
    found = [known for package in packages or PACKAGES for known in _below(package)]
    return tuple(sorted(found, key=lambda known: known.path))


@cache
def leaves(base: str) -> tuple[Known, ...]:
    """The complete classes of a family, however deep: `leaves("Encoder")`."""
    direct = [known for known in classes() if base in known.bases]
    deeper = [leaf for known in direct if known.abstract for leaf in leaves(known.name)]
    return tuple(sorted([known for known in direct if not known.abstract] + deeper, key=lambda known: known.path))


def recipes_folder() -> Path:
    """Where the recipes are: inside an installed package, or beside it in a checkout."""
    inside = Path(__file__).parents[1] / "recipes"
    return inside if inside.is_dir() else Path(__file__).parents[2] / "recipes"


def recipes() -> dict[str, Path]:
    """The recipes that come with the package by name, such as `decode/eegmat`."""
    folder = recipes_folder()
    return {path.relative_to(folder).with_suffix("").as_posix(): path for path in sorted(folder.rglob("*.yaml"))}


def studies() -> dict[str, str]:
    """The public datasets that the package knows, by name, and what they are: classes, and sidecars that have none."""
    folder = Path(__file__).parents[2] / "data_loaders" / "studies"
    written = {known.path.split(".")[-2]: known.summary for known in leaves("Study") if known.name != "Described"}
    return dict(sorted(({path.stem: header(path) for path in folder.glob("*.yaml")} | written).items()))


def header(path: Path) -> str:
    """The first line of a file's opening comment: what it is."""
    first = path.read_text(encoding="utf-8").splitlines()[:1]
    return first[0].lstrip("# ").strip() if first and first[0].startswith("#") else ""


def _below(package: str) -> Iterator[Known]:
    root = Path(__file__).parents[2]
    for file in sorted((root / package.replace(".", "/")).rglob("*.py")):
        module = ".".join(file.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
        yield from _in_file(file, module)


def _in_file(file: Path, module: str) -> Iterator[Known]:
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            bases = tuple(ast.unparse(base).split("[")[0].rsplit(".", 1)[-1] for base in node.bases)
            summary = (ast.get_docstring(node) or "").partition("\n")[0]
            yield Known(f"{module}.{node.name}", node.name, bases, summary, _abstract(node, bases))


def _abstract(node: ast.ClassDef, bases: tuple[str, ...]) -> bool:
    """True where a class says so, or leaves a method to others."""
    methods = [item for item in node.body if isinstance(item, ast.FunctionDef)]
    left = any("abstractmethod" in ast.unparse(decorator) for method in methods for decorator in method.decorator_list)
    return left or "ABC" in bases or "Protocol" in bases
