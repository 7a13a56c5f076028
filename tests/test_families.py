"""Every family keeps its rules: classes abstract or final, one public class per file, first lines and docstrings."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# folders whose members are found by scanning, so each file must hold one public member
FAMILIES = (
    "brainfm/encoders",
    "brainfm/objectives",
    "brainfm/evaluators",
    "brainfm/baselines",
    "data_loaders/samplers",
)


def files(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def classes(folders: tuple[str, ...] = ("brainfm", "data_loaders")) -> Iterator[tuple[Path, ast.ClassDef]]:
    for path in files(*folders):
        yield from ((path, node) for node in ast.walk(parsed(path)) if isinstance(node, ast.ClassDef))


def is_abstract(node: ast.ClassDef) -> bool:
    bases = {ast.unparse(base) for base in node.bases}
    own = any(
        "abstractmethod" in ast.unparse(d)
        for f in node.body
        if isinstance(f, ast.FunctionDef)
        for d in f.decorator_list
    )
    return own or "ABC" in bases or "Protocol" in bases


@pytest.mark.parametrize("path", files("brainfm", "data_loaders"), ids=lambda p: str(p.relative_to(ROOT)))
def test_every_file_says_in_its_first_line_what_it_is_for(path: Path) -> None:
    first = (ast.get_docstring(parsed(path)) or "").split("\n")[0]
    assert len(first) > 10


@pytest.mark.parametrize("path", files("brainfm", "data_loaders"), ids=lambda p: str(p.relative_to(ROOT)))
def test_no_file_needs_a_table_of_contents(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 300


def test_no_class_extends_a_final_one() -> None:
    found = {node.name: node for _, node in classes()}
    breaches = [
        (node.name, ast.unparse(base))
        for node in found.values()
        for base in node.bases
        if (parent := found.get(ast.unparse(base).split(".")[-1])) and not is_abstract(parent) and not _is_error(parent)
    ]
    assert breaches == []


def _is_error(node: ast.ClassDef) -> bool:
    return node.name.endswith("Error")


@pytest.mark.parametrize("path", files(*FAMILIES), ids=lambda p: str(p.relative_to(ROOT)))
def test_a_member_of_a_family_is_one_public_class_in_one_file(path: Path) -> None:
    if path.stem in ("__init__", "base", "hashing"):
        return
    public = [
        node.name for node in parsed(path).body if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    ]
    assert len(public) == 1


def test_public_classes_and_functions_say_what_they_do() -> None:
    # a verb's flags() and run() are what its module's first line says
    silent = [
        f"{path.relative_to(ROOT)}: {node.name}"
        for path in files("brainfm", "data_loaders")
        for node in parsed(path).body
        if isinstance(node, ast.ClassDef | ast.FunctionDef)
        and not node.name.startswith("_")
        and not ast.get_docstring(node)
        and not (path.parent.name == "verbs" and node.name in ("flags", "run"))
    ]
    assert silent == []
