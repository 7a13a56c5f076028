"""Fetches files into a folder: several at a time, taken up where they were cut, checked, and whole or absent."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import requests
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from data_loaders.archives import web
from data_loaders.archives.base import File, wrong

_AT_ONCE = 4
# what a broken connection may lose
_BLOCK = 1 << 16


def missing(files: Sequence[File], dest: Path) -> list[File]:
    """Those that are not there yet. A file has its name only once it is whole, so its size is enough to know it again."""
    return [file for file in files if not _there(file, dest / file.path)]


def fetch(files: Sequence[File], dest: Path) -> None:
    """Downloads what is missing. Raises ValueError at the end, after everything else is there, where a file failed.

    A download that was cut, even by a kill, goes on in the middle of its file. A file whose checksum is wrong is fetched once
    more from its beginning, and refused then.
    """
    todo, failed = missing(files, dest), list[str]()
    console = Console(highlight=False, soft_wrap=True)
    if len(todo) < len(files):
        console.print(f"{len(files) - len(todo)} of {len(files)} files are there already", markup=False)
    sizes = [file.size for file in todo]
    with _progress(console) as progress, ThreadPoolExecutor(_AT_ONCE) as pool:
        total = None if None in sizes else sum(size or 0 for size in sizes)
        bar = progress.add_task("downloading", total=total)
        running = {pool.submit(_one, file, dest / file.path, lambda n: progress.advance(bar, n)): file for file in todo}
        try:
            for number, future in enumerate(as_completed(running), 1):
                progress.update(bar, description=f"{number}/{len(todo)} files")
                if isinstance(error := future.exception(), web.OfflineError):
                    raise error
                if error is not None:
                    failed.append(f"  {running[future].path}: {error}")
                    console.print(f"{running[future].path}: failed: {error}", markup=False)
        finally:
            for future in running:
                future.cancel()
    if failed:
        raise ValueError("\n".join([f"{len(failed)} of {len(files)} files could not be downloaded:", *sorted(failed)]))


def _there(file: File, path: Path) -> bool:
    return path.is_file() and file.size in (None, path.stat().st_size)


def _one(file: File, path: Path, advance: Callable[[int], None]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    for last in (False, True):
        _transfer(file, part, advance)
        found = wrong(file, part)
        if found is None:
            return os.replace(part, path)
        advance(-part.stat().st_size)
        part.unlink()
        if last:
            raise ValueError(
                f"{file.url} came twice and {found}: the archive has changed it, or a proxy spoils it; nothing was kept"
            )


def _transfer(file: File, part: Path, advance: Callable[[int], None]) -> None:
    """Appends to what is there until the server has sent all; a connection that breaks is taken up again."""
    advance(part.stat().st_size if part.exists() else 0)
    for _ in range(web.TRIES):
        have = part.stat().st_size if part.exists() else 0
        with web.get(file.url, stream=True, headers={"Range": f"bytes={have}-"} if have else {}) as answer:
            if answer.status_code == 416:  # it was complete, or is no piece of this file: the check tells
                return
            if have and answer.status_code != 206:  # a server that knows no ranges begins anew
                advance(-have)
                part.unlink()
            if _append(answer, part, advance) and file.size in (None, part.stat().st_size):
                return
    raise web.OfflineError(
        f"{file.url} broke off {web.TRIES} times, {part.stat().st_size:,} bytes are kept: run the same command again"
    )


def _append(answer: requests.Response, part: Path, advance: Callable[[int], None]) -> bool:
    """False where the connection broke."""
    try:
        with part.open("ab") as out:
            for block in answer.iter_content(_BLOCK):
                out.write(block)
                advance(len(block))
    except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError, requests.Timeout):
        return False
    return True


def _progress(console: Console) -> Progress:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=console)
