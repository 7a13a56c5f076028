"""A study: one public dataset: what it is, under which licence, what it downloads, and what its files do not say."""

from __future__ import annotations

import fnmatch
import inspect
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from data_loaders.archives.base import File
from data_loaders.archives.fetch import fetch, missing
from data_loaders.contracts import Recording

# the folder's sidecar, which every reader looks for
SIDECAR = "brainfm.yaml"


class Study(ABC):
    """One file beside this one with one final subclass, made without arguments; its name is that of the file.

    `size` (bytes) and the counts are those of the whole study, None where its source does not say. `parts` are what can be
    downloaded on its own, `default` the one that is taken where none is asked for.
    """

    title: str
    url: str
    licence: str
    citation: str
    modality: str
    n_subjects: int | None = None
    n_sessions: int | None = None
    hours: float | None = None
    size: int | None = None
    parts: Sequence[str] = ()
    default: str | None = None

    @property
    def name(self) -> str:
        """The study's code, by which commands and recipes call it."""
        return type(self).__module__.rpartition(".")[2]

    @abstractmethod
    def files(self, part: str | None = None) -> list[File]:
        """What there is to download, as its archive lists it now: with sizes and checksums."""

    def sidecar(self) -> dict[str, Any]:
        """What the files do not say (`data_loaders.formats.sidecar`): the YAML of the study's name beside its file, where there is one."""
        path = Path(inspect.getfile(type(self))).with_suffix(".yaml")
        return yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else {"study": self.name}

    def amended(self, recording: Recording) -> Recording:
        """A recording of this study as `prepare` stores it: a study may name its events."""
        return recording

    def chosen(self, part: str | None = None, include: Sequence[str] = ()) -> list[File]:
        """The files of a part whose path matches one of the patterns; all where there are none. Raises ValueError."""
        if part is not None and part not in self.parts:
            has = f"its parts are {', '.join(self.parts)}" if self.parts else "it has no parts: leave --part out"
            raise ValueError(f"{self.name} has no part {part!r}: {has}")
        found = self.files(part or self.default)
        kept = [
            file for file in found if not include or any(fnmatch.fnmatch(file.path, pattern) for pattern in include)
        ]
        if not kept:
            raise ValueError(
                f"none of the {len(found)} files of {self.name} matches {list(include)}: the first is {found[0].path}"
            )
        return kept

    def download(self, files: Sequence[File], dest: Path) -> None:
        """Fetches the files into a folder and leaves the study's sidecar there, so that `prepare` knows how to read it."""
        fetch(files, dest)
        self.describe(dest)

    def describe(self, dest: Path) -> None:
        """Writes the sidecar into a downloaded folder."""
        dest.mkdir(parents=True, exist_ok=True)
        text = f"# {self.title}\n# {self.url} · {self.citation} · {self.licence}\n{yaml.safe_dump(self.sidecar(), allow_unicode=True)}"
        # what is the same stays as it is: its age tells prepared sources from changed ones
        if not (dest / SIDECAR).is_file() or (dest / SIDECAR).read_text(encoding="utf-8") != text:
            (dest / SIDECAR).write_text(text, encoding="utf-8")

    def facts(self) -> Mapping[str, str]:
        """What a user should know before anything is fetched."""
        counts = {"subjects": self.n_subjects, "sessions": self.n_sessions, "hours": self.hours}
        known = ", ".join(f"{value:,g} {name}" for name, value in counts.items() if value is not None)
        whole = "" if self.size is None else f"{human(self.size)} in all"
        said = {
            "what": self.title,
            "holds": ", ".join(filter(None, [self.modality, known, whole])),
            "licence": self.licence,
        }
        return said | {"cite": self.citation, "from": self.url}


class Described(Study):
    """A study of which only a sidecar is known: NAME.yaml, whose opening comment says what it is, its source and licence."""

    def __init__(self, path: Path) -> None:
        lines = [
            line.removeprefix("#").strip()
            for line in path.read_text(encoding="utf-8").splitlines()
            if line.startswith("#")
        ]
        self.path, self.title = path, lines[0] if lines else path.stem
        self.citation = lines[1] if len(lines) > 1 else "see its YAML"
        self.licence = self.citation.rpartition(" · ")[2]
        self.url = next((word for word in " ".join(lines).split() if word.startswith("https://")), "not stated")
        self.modality = str(yaml.safe_load(path.read_text(encoding="utf-8")).get("modality", "see its YAML"))

    @property
    def name(self) -> str:
        return self.path.stem

    def files(self, part: str | None = None) -> list[File]:
        raise ValueError(
            f"{self.name} is not downloaded by brainfm: get it ({self.citation}), and run "
            f"`brainfm prepare FOLDER stores/{self.name} --sidecar {self.name}`"
        )

    def sidecar(self) -> dict[str, Any]:
        return yaml.safe_load(self.path.read_text(encoding="utf-8"))


def remaining(files: Sequence[File], dest: Path) -> tuple[int, int, bool]:
    """How many files are still to come, how many bytes they have as far as the archive says, and whether it says so of all."""
    todo = missing(files, dest)
    return len(todo), sum(file.size or 0 for file in todo), all(file.size is not None for file in todo)


def human(size: int | float) -> str:
    """Bytes as people say them.

    >>> human(744e6)
    '744 MB'
    """
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} TB"
