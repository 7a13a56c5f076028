"""The key of a cell: a checksum of all that its numbers depend on, so that an old result is never taken for a new one."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Mapping
from functools import cache
from hashlib import sha256
from importlib.metadata import packages_distributions, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from brainfm.grammar.stores import stores_of
from brainfm.grammar.whole import FAMILIES
from brainfm.run.folder import plain
from brainfm.run.provenance import package_versions
from data_loaders.bucket.manifest import MANIFEST
from data_loaders.catalog import CATALOG
from data_loaders.extents import Bytes
from data_loaders.place import content_of

# what trains and judges, whatever the recipe names
_ALWAYS = ("brainfm.run.fit",)
# what shows numbers and makes none
_SHOWING = ("brainfm.report", "brainfm.verbs", "brainfm.cli")
_UNNAMED = ("name", "grid", "prepare")
_WEIGHTS = ("manifest.json", "*.safetensors")


def key_of(recipe: Mapping[str, Any]) -> str:
    """The key of a recipe without its `grid`: 16 hexadecimal digits.

    It hashes every value that the recipe states (split and seed among them), the checksums of its stores, the weights and
    files that it names, the sources of its classes and of all that these import, and the versions of the packages. Defaults
    follow from the sources and linked values from the data, so this says as much as the resolved recipe, without opening data.
    """
    told = {
        "recipe": {key: value for key, value in plain(recipe).items() if key not in _UNNAMED},
        "data": [store_state(place, _options(recipe)) for place in stores_of(recipe)],
        "files": dict(_files(recipe)),
        "sources": sources(frozenset(class_paths(recipe))),
        "packages": package_versions(),
    }
    return sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]


def class_paths(recipe: Any) -> Iterator[str]:
    """The dotted path of every class that a recipe names, at any depth."""
    if isinstance(recipe, Mapping):
        for key, value in recipe.items():
            if isinstance(value, str) and (key == "class_path" or key in FAMILIES):
                yield value
            else:
                yield from class_paths(value)
    elif isinstance(recipe, list):
        for item in recipe:
            yield from class_paths(item)


@cache
def sources(classes: frozenset[str]) -> dict[str, str]:
    """The checksum of each module that these classes come from and that those import; a version for installed libraries."""
    found: dict[str, str] = {}
    waiting = [*_ALWAYS, *(path.rpartition(".")[0] for path in classes)]
    while waiting:
        module = waiting.pop()
        if module in found or not module or module.startswith(_SHOWING):
            continue
        file = _file(module)
        found[module] = _version(module) if file is None else sha256(file.read_bytes()).hexdigest()
        if file is not None:
            waiting += [name for name in _imports(file, module) if _file(name) is not None]
    return found


def store_state(place: str, options: Mapping[str, Any] | None = None) -> str:
    """A checksum of all that a store holds: its manifest has those of its tables, which have those of every recording."""
    content = content_of(place, options)
    tables = [table for name in (MANIFEST, CATALOG, "events.parquet") if (table := _read(content, name)) is not None]
    return sha256(b"".join(sha256(table).digest() for table in tables)).hexdigest()


def _read(content: Bytes, name: str) -> bytes | None:
    """A file of the store; None where there is none: an address gives no manifest, an old store has none."""
    try:
        table = content.table(name)
    except FileNotFoundError:
        return None
    return table.read_bytes() if isinstance(table, Path) else bytes(table.read())


def _options(recipe: Mapping[str, Any]) -> Mapping[str, Any] | None:
    return (recipe["data"].get("init_args") or {}).get("storage_options")


def _files(value: Any) -> Iterator[tuple[str, str]]:
    """The state of every file, run and checkpoint that some value of the recipe names."""
    if isinstance(value, Mapping | list):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from _files(item)
    elif isinstance(value, str) and len(value) < 4096 and "\n" not in value and Path(value).exists():
        yield value, _state(Path(value))


def _state(path: Path) -> str:
    files = [path] if path.is_file() else sorted(file for name in _WEIGHTS for file in path.rglob(name))
    return sha256("".join(sha256(file.read_bytes()).hexdigest() for file in files).encode()).hexdigest()


@cache
def _file(module: str) -> Path | None:
    """The source of a module of brainfm, of data_loaders or of the user's own; None for an installed library or no module."""
    top, *rest = module.split(".")
    spec = find_spec(top) if top.isidentifier() else None
    if spec is None or spec.origin is None or _installed(top, spec.origin):
        return None
    if not rest:
        return Path(spec.origin)
    whole = Path(spec.origin).parent.joinpath(*rest)
    return next((file for file in (whole.with_suffix(".py"), whole / "__init__.py") if file.is_file()), None)


def _installed(top: str, origin: str) -> bool:
    ours = top in ("brainfm", "data_loaders")
    return not ours and (not origin.endswith(".py") or any(part in origin for part in ("site-packages", "lib/python")))


@cache
def _version(module: str) -> str:
    names = packages_distributions().get(module.split(".")[0], [])
    return ", ".join(version(name) for name in names)


def _imports(file: Path, module: str) -> Iterator[str]:
    """Modules that a source imports; `from a import b` may mean the module a.b."""
    package = module if file.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield from (base, *(f"{base}.{alias.name}" for alias in node.names))
