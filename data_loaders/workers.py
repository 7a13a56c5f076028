"""Workers: recordings read and written aside, one at a time or in several processes, and handed back in order."""

from __future__ import annotations

import gc
import multiprocessing
import os
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from pathlib import Path

from data_loaders import studies
from data_loaders.contracts import Recording
from data_loaders.formats import separators
from data_loaders.modalities.base import Reader, Source
from data_loaders.writer import Aside, aside

# finished files that wait for a slow one before them
_AHEAD = 2


@dataclass(frozen=True)
class Made:
    """What became of a source: a file that is not yet in the store, or an error."""

    aside: Aside | None = None
    name: str = ""
    decisions: tuple[str, ...] = ()
    error: Exception | None = None


def made(todo: Sequence[tuple[Reader, Source]], dest: Path, jobs: int) -> Iterator[tuple[Source, Made]]:
    """Every source with what was made of it, in order. Memory is that of one recording per process."""
    if jobs == 1 or len(todo) < 2:
        yield from ((source, _one(reader, source, dest)) for reader, source in todo)
        gc.unfreeze()
        return
    context = multiprocessing.get_context("forkserver")
    # imported once, then inherited: a worker starts in a moment
    context.set_forkserver_preload(["data_loaders.prepare"])
    with ProcessPoolExecutor(min(jobs, len(todo)), context, _watch, (os.getpid(),)) as pool:
        yield from _in_order(pool, todo, dest, jobs)


def _in_order(
    pool: ProcessPoolExecutor, todo: Sequence[tuple[Reader, Source]], dest: Path, jobs: int
) -> Iterator[tuple[Source, Made]]:
    running: deque[tuple[Source, Future[Made]]] = deque()
    waiting = deque(todo)
    try:
        while waiting or running:
            while waiting and len(running) < (1 + _AHEAD) * jobs:
                reader, source = waiting.popleft()
                running.append((source, pool.submit(_told_home, reader, source, dest)))
            source, future = running.popleft()
            yield source, future.result()
    except BrokenProcessPool as error:
        raise ValueError(
            f"a process that converted recordings was killed, perhaps for want of memory: run the same command with fewer than "
            f"{jobs} processes, finished recordings stay"
        ) from error
    finally:
        for _, future in running:
            future.cancel()


def _one(reader: Reader, source: Source, dest: Path) -> Made:
    try:
        recording = _read(reader, source)
        return Made(aside(dest, recording, source.key), recording.name, recording.decisions)
    except Exception as error:  # whatever a reader library raises
        return Made(error=error)
    finally:
        recording = None
        _collect()


def _read(reader: Reader, source: Source) -> Recording:
    """A recording of a public study as that study amends it."""
    # the absolute path tells two files apart that have the same name
    recording = reader.read(source)
    parted = dict.fromkeys(line for path in source.paths for line in separators.told(path))
    recording = replace(recording, source=str(source.path.resolve()), decisions=(*recording.decisions, *parted))
    return studies.find(recording.study).amended(recording) if recording.study in studies.names() else recording


def _told_home(reader: Reader, source: Source, dest: Path) -> Made:
    """Errors of reader libraries may not survive the way between processes: their words do."""
    found = _one(reader, source, dest)
    return found if found.error is None else replace(found, error=ValueError(str(found.error)))


def _collect() -> None:
    """Reader libraries leave cycles behind that hold the signal: collected now, memory stays at one recording."""
    gc.collect()
    # what outlived this recording (the imported libraries) is not searched again: 0.3 s less per recording
    gc.freeze()


def _watch(parent: int) -> None:
    """A worker ends when the process that it works for is gone, even if that was killed."""
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    while True:
        time.sleep(0.5)
        try:
            os.kill(parent, 0)
        except ProcessLookupError:
            os._exit(1)
