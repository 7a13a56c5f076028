"""Public datasets, one file each: what it is, its licence and citation, how it is downloaded and read."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from data_loaders.studies.base import Study


def names() -> list[str]:
    """The studies, sorted: every Python file with a Study, and every sidecar without one.

    >>> "eegmat" in names()
    True
    """
    files = [file for folder in __path__ for file in Path(folder).iterdir()]
    written = {file.stem for file in files if file.suffix == ".py" and "(Study):" in file.read_text(encoding="utf-8")}
    return sorted((written | {file.stem for file in files if file.suffix == ".yaml"}) - {"base", "__init__"})


def find(name: str) -> Study:
    """The study of that name. Raises ValueError with the nearest one."""
    from data_loaders.studies.base import Described, Study

    if name not in names():
        near = difflib.get_close_matches(name, names(), n=1, cutoff=0.0)[0]
        raise ValueError(f"there is no study {name!r}: did you mean {near!r}? (`brainfm ls studies`)")
    if importlib.util.find_spec(f"{__name__}.{name}") is None:
        return Described(next(path for folder in __path__ if (path := Path(folder) / f"{name}.yaml").is_file()))
    module = importlib.import_module(f"{__name__}.{name}")
    return next(
        c()
        for c in vars(module).values()
        if isinstance(c, type) and issubclass(c, Study) and c.__module__ == module.__name__
    )


def pointed(sidecar: str | Path, root: Path, dest: Path) -> Path:
    """A copy of the sidecar (a file, or a study's) in `dest` that points at the recordings below `root`.

    Raises ValueError where `sidecar` is neither a file nor a study.
    """
    stated = _stated(sidecar)
    # what a study says of its participants is relative to its recordings, what a file says to itself
    beside = Path(sidecar).parent if Path(sidecar).is_file() else root
    if isinstance(people := stated.get("participants"), dict) and "file" in people:
        stated["participants"] = {**people, "file": str((beside / people["file"]).resolve())}
    text = yaml.safe_dump({**stated, "root": str(root.resolve())}, allow_unicode=True)
    copy = dest / "sidecar.yaml"
    # written only when it says something new: its age is part of what tells prepared sources from changed ones
    if not copy.is_file() or copy.read_text(encoding="utf-8") != text:
        dest.mkdir(parents=True, exist_ok=True)
        copy.write_text(text, encoding="utf-8")
    return copy


def _stated(sidecar: str | Path) -> dict:
    if Path(sidecar).is_file():
        return dict(yaml.safe_load(Path(sidecar).read_text(encoding="utf-8")))
    if str(sidecar) not in names():
        near = difflib.get_close_matches(str(sidecar), names(), n=1, cutoff=0.0)[0]
        raise ValueError(f"{sidecar} is neither a sidecar file nor a study: did you mean {near!r}?")
    return find(str(sidecar)).sidecar()
