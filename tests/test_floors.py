"""The floors of the house: imports point down, families do not import across, readers stay where they read."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FLOORS = {
    "data_loaders.contracts": 0,
    "brainfm.files": 1, "brainfm.hub": 1,
    "brainfm.nn": 1, "brainfm.linear": 1, "brainfm.statistics": 1, "brainfm.checkpoints": 1,
    "brainfm.encoders": 2, "brainfm.stimuli": 2, "brainfm.baselines": 2,
    "brainfm.objectives": 3, "brainfm.evaluators": 3, "brainfm.generate": 3,
    "brainfm.systems": 4,
}  # fmt: skip
FAMILIES = (
    "brainfm.encoders", "brainfm.objectives", "brainfm.evaluators", "brainfm.baselines", "brainfm.systems",
    "data_loaders.modalities", "data_loaders.studies", "data_loaders.samplers",
)  # fmt: skip
READERS = {
    "mne": ("modalities", "formats", "transforms"),
    "mne_bids": ("modalities", "formats"),
    "nibabel": ("modalities", "formats"),
    "pynwb": ("modalities", "formats"),
}
SHARED = ("base", "hashing")
TOP = 5


def modules(package: str) -> list[tuple[str, ast.Module]]:
    return list(_modules(package))


def _modules(package: str) -> Iterator[tuple[str, ast.Module]]:
    for path in sorted((ROOT / package).rglob("*.py")):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        yield name, ast.parse(path.read_text(encoding="utf-8"))


def imports(tree: ast.Module, top_level: bool = False) -> Iterator[str]:
    for node in tree.body if top_level else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def floor(module: str) -> int:
    parts = module.split(".")
    return next((FLOORS[".".join(parts[:n])] for n in range(len(parts), 0, -1) if ".".join(parts[:n]) in FLOORS), TOP)


def upward(name: str, tree: ast.Module) -> list[str]:
    """What a module of brainfm imports from a floor above its own."""
    return [target for target in imports(tree) if target.startswith("brainfm.") and floor(target) > floor(name)]


def across(name: str, tree: ast.Module) -> list[str]:
    """What a member of a family imports from a neighbour."""
    family = next((f for f in FAMILIES if name.startswith(f + ".")), None)
    if family is None or name.endswith(SHARED):
        return []
    own = [target for target in imports(tree) if target.startswith(family + ".")]
    return [target for target in own if target.removeprefix(family + ".").split(".")[0] not in SHARED]


@pytest.mark.parametrize(("name", "tree"), modules("brainfm"))
def test_imports_of_brainfm_point_down(name: str, tree: ast.Module) -> None:
    assert upward(name, tree) == []


@pytest.mark.parametrize(("name", "tree"), modules("brainfm"))
def test_brainfm_below_the_top_knows_only_the_contracts_of_data_loaders(name: str, tree: ast.Module) -> None:
    loaders = [
        target
        for target in imports(tree)
        if target.startswith("data_loaders") and not target.startswith("data_loaders.contracts")
    ]
    assert loaders == [] or floor(name) == TOP


@pytest.mark.parametrize(("name", "tree"), modules("data_loaders"))
def test_data_loaders_imports_nothing_of_brainfm(name: str, tree: ast.Module) -> None:
    assert [target for target in imports(tree) if target.startswith("brainfm")] == []


@pytest.mark.parametrize(("name", "tree"), [*modules("brainfm"), *modules("data_loaders")])
def test_members_of_a_family_do_not_import_their_neighbours(name: str, tree: ast.Module) -> None:
    assert across(name, tree) == []


@pytest.mark.parametrize(("name", "tree"), [*modules("brainfm"), *modules("data_loaders")])
def test_reader_libraries_are_imported_where_they_are_used(name: str, tree: ast.Module) -> None:
    heavy = [target for target in imports(tree, top_level=True) if target.split(".")[0] in READERS]
    assert heavy == [], "import it inside the function that reads"


@pytest.mark.parametrize(("name", "tree"), modules("data_loaders"))
def test_foreign_formats_are_read_only_in_modalities_and_formats(name: str, tree: ast.Module) -> None:
    used = {target.split(".")[0] for target in imports(tree)} & set(READERS)
    assert all(name.split(".")[1] in READERS[library] for library in used)


def test_the_rules_see_a_breach() -> None:
    assert upward("brainfm.nn.x", ast.parse("from brainfm.encoders.eegnex import EEGNeX")) == [
        "brainfm.encoders.eegnex.EEGNeX"
    ]
    assert across("brainfm.encoders.x", ast.parse("import brainfm.encoders.eegnex")) == ["brainfm.encoders.eegnex"]
    assert across("brainfm.encoders.x", ast.parse("from brainfm.encoders.base import Encoder")) == []
