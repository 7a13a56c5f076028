"""Public datasets that the package describes: each NAME.yaml is a sidecar with source, licence and citation."""

from __future__ import annotations

import difflib
from pathlib import Path

import yaml

HERE = Path(__file__).parent


def names() -> list[str]:
    """The studies, sorted.

    >>> "eegmat" in names()
    True
    """
    return sorted(path.stem for path in HERE.glob("*.yaml"))


def pointed(sidecar: str | Path, root: Path, dest: Path) -> Path:
    """A copy of the sidecar in `dest` that points at the recordings below `root`.

    Raises ValueError where `sidecar` is neither a file nor a study.
    """
    path = Path(sidecar) if Path(sidecar).is_file() else HERE / f"{sidecar}.yaml"
    if not path.is_file():
        near = difflib.get_close_matches(str(sidecar), names(), n=1, cutoff=0.0)[0]
        raise ValueError(f"{sidecar} is neither a sidecar file nor a study: did you mean {near!r}?")
    stated = {**yaml.safe_load(path.read_text(encoding="utf-8")), "root": str(root.resolve())}
    if isinstance(people := stated.get("participants"), dict) and "file" in people:
        beside = root if path.parent == HERE else path.parent
        stated["participants"] = {**people, "file": str((beside / people["file"]).resolve())}
    text = yaml.safe_dump(stated, allow_unicode=True)
    copy = dest / "sidecar.yaml"
    # written only when it says something new: its age is part of what tells prepared sources from changed ones
    if not copy.is_file() or copy.read_text(encoding="utf-8") != text:
        dest.mkdir(parents=True, exist_ok=True)
        copy.write_text(text, encoding="utf-8")
    return copy
