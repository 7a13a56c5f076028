"""The examples of the pages run as they stand, and links lead somewhere."""

import importlib
import importlib.util
import inspect
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from brainfm.recipe import Recipe
from data_loaders import samples
from data_loaders.prepare import prepare

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs").glob("add-a-*.md"))
_BLOCK = re.compile(r"^```\{code-block\} (?:python|yaml)\n:caption: (\S+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory) -> Path:
    """A folder with the stores of both samples."""
    home = tmp_path_factory.mktemp("prepared")
    for name in ("meg", "reaching"):
        prepare(samples.path(name), home / name)
    return home


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_example_of_a_page_runs_as_it_stands(page, prepared, tmp_path, monkeypatch):
    blocks = dict(_BLOCK.findall(page.read_text(encoding="utf-8")))
    assert sorted(path.split("/")[0] for path in blocks if path.startswith(("recipes", "tests"))) == [
        "recipes",
        "tests",
    ]
    _write(blocks, tmp_path, monkeypatch)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "stores").mkdir()
    for store in prepared.iterdir():
        (tmp_path / "stores" / store.name).symlink_to(store)
    _run_tests(next(tmp_path / path for path in blocks if path.startswith("tests/")), tmp_path)
    losses = Recipe.read([next(path for path in blocks if path.startswith("recipes/"))]).rehearse()
    assert losses["loss"] > 0


@pytest.mark.parametrize(
    "page", [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))], ids=lambda page: page.name
)
def test_links_between_files_lead_to_files(page):
    if "_build" in page.parts or "gallery" in page.parts:
        pytest.skip("made by the build")
    targets = re.findall(
        r"\]\(([^)#\s]+)[^)]*\)", re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    )
    local = [target for target in targets if "://" not in target and "gallery/" not in target]
    assert [target for target in local if not (page.parent / target).exists()] == []


def _write(blocks: dict[str, str], home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Puts each block where its caption says, below `home`, and has the packages look there too."""
    for path, code in blocks.items():
        file = home / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(code, encoding="utf-8")
        if not path.startswith(("tests", "recipes")):
            package = importlib.import_module(".".join(Path(path).parent.parts))
            monkeypatch.setattr(package, "__path__", [*package.__path__, str(file.parent)])
            monkeypatch.delitem(sys.modules, ".".join(Path(path).with_suffix("").parts), raising=False)
    importlib.invalidate_caches()


def _run_tests(file: Path, home: Path) -> None:
    module = _imported(file)
    found = [member for name, member in inspect.getmembers(module, inspect.isfunction) if name.startswith("test_")]
    assert found
    for number, test in enumerate(sorted(found, key=lambda test: test.__code__.co_firstlineno)):
        # the first one works where the recipe will look for its store
        place = home if number == 0 else home / f"other{number}"
        place.mkdir(exist_ok=True)
        test(**({"tmp_path": place} if "tmp_path" in inspect.signature(test).parameters else {}))


def _imported(file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
