"""What a long stimulus has come to so far, kept on disk piece by piece: a run that was killed goes on with the next batch."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from rich.progress import track

from brainfm.files import written

Rows = dict[str, Float[ndarray, "_ _"]]  # each call and name has its own number of rows and columns
Work = TypeVar("Work")
_EVERY = 20.0  # seconds between pieces: what a kill costs at most


def in_pieces(
    batches: Sequence[Work],
    compute: Callable[[Work], Rows],
    label: str,
    folder: Path | None = None,
    every: float | None = None,
) -> Rows:
    """The rows of all batches, in order, for each name that `compute` gives; a bar tells the time remaining.

    With `folder` they are written every so many seconds, and those that lie there already are read and not computed again:
    the folder belongs to one stimulus, model and division into batches. Rows are the same as in one go.
    """
    pieces, n_done = _found(folder, len(batches))
    if n_done:
        print(f"{label}: {n_done:,} of {len(batches):,} batches were computed before, in {folder}", flush=True)
    fresh: list[Rows] = []
    began, first = time.monotonic(), n_done
    for number, work in enumerate(
        track(batches[n_done:], label, total=len(batches), completed=n_done), start=n_done + 1
    ):
        fresh.append(compute(work))
        if folder is not None and time.monotonic() - began >= (_EVERY if every is None else every):
            pieces.append(_joined(fresh))
            _save(folder / _name(first, number, len(batches)), pieces[-1])
            fresh, first, began = [], number, time.monotonic()
    return _joined([*pieces, *fresh])


def _found(folder: Path | None, n: int) -> tuple[list[Rows], int]:
    """The pieces that follow each other from the first batch on, and how many batches they hold."""
    pieces: list[Rows] = []
    done = 0
    while folder is not None and (here := next(folder.glob(f"piece-{done}-*-of-{n}.npz"), None)) is not None:
        with np.load(here, allow_pickle=False) as file:
            pieces.append({name: file[name] for name in file.files})
        done = int(here.name.split("-")[2])
    return pieces, done


def _name(first: int, stop: int, n: int) -> str:
    return f"piece-{first}-{stop}-of-{n}.npz"


def _save(path: Path, rows: Rows) -> None:
    with written(path) as part, open(part, "wb") as file:
        np.savez(file, **rows)  # type: ignore[arg-type]


def _joined(parts: Sequence[Rows]) -> Rows:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]} if parts else {}
