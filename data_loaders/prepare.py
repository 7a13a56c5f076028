"""Converts a folder of foreign files into a store, one recording at a time, and goes on where it was stopped."""

from __future__ import annotations

import difflib
import importlib
import inspect
import pkgutil
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

import data_loaders.modalities
from data_loaders import studies, workers
from data_loaders.bucket.address import is_remote, local
from data_loaders.locks import alone
from data_loaders.modalities.base import Reader, Source
from data_loaders.shelf import Shelf
from data_loaders.writer import Writer, shelf_at


def prepare(
    source: str | Path,
    dest: str | Path,
    modality: str | None = None,
    sidecar: str | Path | None = None,
    storage_options: Mapping[str, Any] | None = None,
    keep: Mapping[str, Any] | None = None,
    jobs: int = 1,
) -> Path | str:
    """Writes every recording below `source` (a folder or a file) into the store at `dest`, and returns `dest`.

    `dest` is a folder, or an address (s3://, gs://) that fsspec opens with `storage_options`.

    `sidecar` says what the files do not (`data_loaders.formats.sidecar`): a YAML file, or the name of a study that the
    package describes (`data_loaders.studies`); it is kept in the store. `keep` says which sorted units and imaged cells
    come in (`data_loaders.formats.keep`), and goes before what sidecars say.

    `jobs` recordings are converted at a time, each in a process of its own; the store is the same for any number.

    May be stopped at any moment and called again: finished recordings stay, sources that changed are read anew. All
    decisions are printed. Raises ValueError at the end, after everything else is written, where a recording failed; at once
    where another process writes this store.
    """
    if jobs < 1:
        raise ValueError(f"jobs is {jobs}, expected at least 1 process")
    root, console = Path(source), Console(highlight=False, soft_wrap=True)
    if not root.exists():
        raise ValueError(f"{root} does not exist: give the folder or the file that holds the recordings")
    shelf = shelf_at(dest, storage_options)
    with alone(shelf.folder), _progress(console) as progress:
        task = progress.add_task("looking", total=None, count="")
        found = find(root if sidecar is None else studies.pointed(sidecar, root, shelf.folder), modality, keep)
        outcome = _convert(found, shelf, jobs, progress, task)
    outcome.tell(console, found, root, dest)
    return dest if is_remote(dest) else local(dest)


def find(root: Path, modality: str | None = None, keep: Mapping[str, Any] | None = None) -> list[tuple[Reader, Source]]:
    """All sources below `root` with their readers. Raises ValueError where there are none, or two claim one file."""
    readers = all_readers()
    found = [(reader, source) for reader in readers for source in reader.sources(root)]
    if modality is not None:
        there = sorted({source.modality for _, source in found})
        found = [(reader, source) for reader, source in found if source.modality == modality]
        if there and not found:
            near = difflib.get_close_matches(modality, there, n=1, cutoff=0.0)[0]
            raise ValueError(
                f"no recording of modality {modality!r} below {root}, which has {there}: did you mean {near!r}?"
            )
    if not found:
        kinds = ", ".join(f"{n} {suffix}" for suffix, n in _suffixes(root, set()).most_common(8))
        raise ValueError(
            f"no reader knows a file below {root} (there are {kinds or 'no files'}): arrays (.npz, .mat) need a sidecar, NAME.yaml "
            f"beside NAME.npz or brainfm.yaml in the folder; other formats need a reader in data_loaders/modalities"
        )
    _check_distinct(found)
    return found if keep is None else [(reader, _keeping(source, keep)) for reader, source in found]


def _keeping(source: Source, keep: Mapping[str, Any]) -> Source:
    """The source with what is kept of it; only cells can be chosen on the way in."""
    if source.modality not in ("spikes", "calcium"):
        raise ValueError(
            f"keep chooses among sorted units and imaged cells, but {source.path.name} is {source.modality}: leave it out, and "
            f"choose channels in the recipe by the transform Pick"
        )
    return replace(source, description={**source.description, "keep": dict(keep)})


def all_readers() -> list[Reader]:
    """One of each final Reader in `data_loaders.modalities`; a new file there needs no list."""
    names = sorted(module.name for module in pkgutil.iter_modules(data_loaders.modalities.__path__))
    modules = [importlib.import_module(f"data_loaders.modalities.{name}") for name in names]
    classes = {c for m in modules for _, c in inspect.getmembers(m, inspect.isclass) if c.__module__ == m.__name__}
    readers = [c for c in classes if issubclass(c, Reader) and not inspect.isabstract(c)]
    return [c() for c in sorted(readers, key=lambda c: c.__module__ + c.__qualname__)]


@dataclass
class _Outcome:
    """What happened, for the last lines that the user reads."""

    written: int = 0
    kept: int = 0
    failed: list[tuple[Source, Exception]] = field(default_factory=list)
    decisions: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def tell(self, console: Console, found: list[tuple[Reader, Source]], root: Path, dest: str | Path) -> None:
        for decision, names in self.decisions.items():
            if len(names) > 1:
                console.print(f"the same in {len(names) - 1} more recordings: {decision}", markup=False)
        left = _suffixes(found[0][1].root, {path for _, source in found for path in source.paths}, local(dest))
        if left:
            console.print("left alone: " + ", ".join(f"{n} {suffix}" for suffix, n in left.most_common()), markup=False)
        console.print(
            f"{dest}: {self.written} recordings written, {self.kept} were there, {len(self.failed)} failed",
            markup=False,
        )
        if self.failed:
            lines = [f"  {source.path}: {error}" for source, error in self.failed]
            raise ValueError("\n".join([f"{len(lines)} of {len(found)} recordings could not be prepared:", *lines]))


def _convert(found: list[tuple[Reader, Source]], shelf: Shelf, jobs: int, progress: Progress, task: TaskID) -> _Outcome:
    outcome = _Outcome()
    progress.update(task, total=sum(_size(source) for _, source in found), count=f"0/{len(found)}")
    with Writer(shelf) as writer:
        todo = [pair for pair in found if not writer.done(pair[1].key)]
        outcome.kept = len(found) - len(todo)
        progress.advance(task, sum(_size(source) for _, source in found) - sum(_size(source) for _, source in todo))
        for number, (source, made) in enumerate(workers.made(todo, shelf.folder, jobs), outcome.kept + 1):
            _adopt(source, made, writer, outcome, progress.console)
            progress.advance(task, _size(source))
            progress.update(task, description=source.path.name, count=f"{number}/{len(found)}")
        _drop_stale(writer, [source for _, source in found])
        progress.update(task, description="done", count=f"{len(found)}/{len(found)}")
    return outcome


def _adopt(source: Source, made: workers.Made, writer: Writer, outcome: _Outcome, console: Console) -> None:
    """In the order of the sources, however fast each was, so that the store does not depend on the number of processes."""
    try:
        if made.error is not None or made.aside is None:
            raise made.error or ValueError("nothing was made of it")
        writer.adopt(made.aside)
    except Exception as error:  # whatever a reader library raised: told at the end, and the others go on
        outcome.failed.append((source, error))
        console.print(f"{source.path}: failed: {error}", markup=False)
        return
    outcome.written += 1
    for decision in made.decisions:
        if not outcome.decisions[decision]:
            console.print(f"{made.name}: {decision}", markup=False)
        outcome.decisions[decision].append(made.name)


def _check_distinct(found: list[tuple[Reader, Source]]) -> None:
    by_path: dict[Path, Reader] = {}
    by_key: dict[str, Source] = {}
    for reader, source in found:
        other = by_path.setdefault(source.path, reader)
        if other is not reader:
            names = [type(r).__name__ for r in (other, reader)]
            raise ValueError(
                f"{source.path} holds more than one kind of recording ({names[0]} and {names[1]} read it): choose with --modality, or by "
                f"`modality: ...` in a sidecar; each kind goes into a store of its own"
            )
        twin = by_key.setdefault(source.key, source)
        if twin is not source:
            raise ValueError(
                f"{twin.path} and {source.path} are one recording by name, size and time: give one of them another session or run"
            )


def _drop_stale(writer: Writer, sources: list[Source]) -> None:
    """A source that was changed so that its recording has another name leaves no old recording behind."""
    keys: dict[str, set[str]] = defaultdict(set)  # a file with repeats gives several recordings
    for source in sources:
        keys[str(source.path.resolve())].add(source.key)
    known = {file: (header["source"], header["key"]) for file, header in writer.headers.items()}
    made_now = {source for source, key in known.values() if key in keys.get(source, ())}
    for file, (source, key) in known.items():
        if source in made_now and key not in keys[source]:
            writer.remove(file)


def _suffixes(root: Path, claimed: set[Path], dest: Path | None = None) -> Counter[str]:
    """How many files of each ending no source claims."""
    files = [path.resolve() for path in root.rglob("*") if path.is_file()] if root.is_dir() else []
    taken = {path.resolve() for path in claimed} | ({dest.resolve()} if dest is not None else set())
    free = [path for path in files if not {path, *path.parents} & taken]
    return Counter(path.suffix.lower() or path.name for path in free)


def _size(source: Source) -> int:
    return source.path.stat().st_size + 1


def _progress(console: Console) -> Progress:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[count]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=console)
