"""What is in a BIDS folder or a set of files, before anything is converted: `brainfm inspect DIR`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from rich.console import Console
from rich.progress import track
from rich.table import Table

from data_loaders import studies
from data_loaders.modalities.base import Reader, Source
from data_loaders.options import options
from data_loaders.prepare import find
from data_loaders.starter import NothingToDecodeError, starter_recipe
from data_loaders.summary import Facts, Summary, facts_of

__all__ = ["NothingToDecodeError", "Summary", "inspect", "starter_recipe", "tell"]


def inspect(
    root: str | Path, most: int = 60, modality: str | None = None, sidecar: str | Path | None = None
) -> Summary:
    """Reads at most `most` recordings, spread over all of them, one at a time, and keeps what is not signal.

    `modality` and `sidecar` are those of `prepare`. Raises ValueError where no reader knows a file, or where none can
    be read.
    """
    root = Path(root)
    asked = {name: str(value) for name, value in (("modality", modality), ("sidecar", sidecar)) if value is not None}
    with TemporaryDirectory() as folder:
        found = find(root if sidecar is None else studies.pointed(sidecar, root, Path(folder)), modality)
        recordings, unread = _read_some(found, most)
    if not recordings:
        path, why = next(iter(unread.items()))
        raise ValueError(f"none of {len(unread)} recordings below {root} can be read; the first, {path}: {why}")
    return Summary(root, tuple(recordings), len(found), unread, asked)


def _read_some(found: Sequence[tuple[Reader, Source]], most: int) -> tuple[list[Facts], dict[str, str]]:
    chosen = [found[i] for i in np.unique(np.linspace(0, len(found) - 1, min(most, len(found))).round().astype(int))]
    recordings, unread = [], {}
    for reader, source in track(chosen, "reading", console=Console(stderr=True), transient=True):
        facts = _read(reader, source)
        if isinstance(facts, Facts):
            recordings.append(facts)
        else:
            unread[str(source.path)] = facts
    return recordings, unread


def _read(reader: Reader, source: Source) -> Facts | str:
    try:
        return facts_of(reader.read(source), source.path)
    except Exception as error:  # whatever a reader library raises is part of what is found
        return str(error)


def tell(summary: Summary, console: Console | None = None) -> None:
    """Prints the summary as a table, and what could be decoded."""
    console = console or Console(highlight=False)
    table = Table(title=str(summary.root), show_header=False, title_justify="left")
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, text in rows(summary):
        table.add_row(name, text)
    console.print(table)


def rows(summary: Summary) -> list[tuple[str, str]]:
    """The lines of the table: what, and how much of it."""
    of = (
        ""
        if len(summary.recordings) == summary.n_recordings
        else f" of {summary.n_recordings} (figures are of those read)"
    )
    lines = [
        ("recordings", f"{len(summary.recordings)} read{of}, {', '.join(summary.modalities)}"),
        ("subjects", f"{len(summary.subjects)}: {_listed(summary.subjects)}"),
        ("length", f"{summary.hours:.3g} h, {_span([r.duration for r in summary.recordings])} s each"),
        ("channels", ", ".join(f"{n} {kind}" for kind, n in summary.channels.items())),
        ("sampling rate", ", ".join(f"{rate:g} Hz ({n})" for rate, n in summary.sfreqs.items())),
        ("tasks", ", ".join(f"{task} ({n} subjects)" for task, n in summary.tasks.items())),
        ("events", _listed([f"{name} ({n})" for name, n in summary.trial_types.items()])),
        (
            "event columns",
            _listed([str(c) for c in summary.events.columns if c not in ("recording", "subject")])
            if summary.trial_types
            else "",
        ),
        ("streams", ", ".join(f"{name} ({n})" for name, n in summary.streams.items())),
        ("participants", _participants(summary.participants)),
        ("bad channels", _listed([f"{name} ({n})" for name, n in summary.bads.items()])),
        ("decided", "\n".join(_decisions(summary))),
        ("cannot be read", "\n".join(f"{path}: {why}" for path, why in summary.unread.items())),
        (
            "can be decoded",
            "\n".join(f"{o.target}: {o.why}" for o in options(summary))
            or "nothing: add events.tsv, participants.tsv or a second task",
        ),
    ]
    return [(name, text) for name, text in lines if text]


def _participants(table: pd.DataFrame) -> str:
    columns = []
    for name in table.columns:
        values = table[name].dropna()
        number = pd.api.types.is_numeric_dtype(values) and values.nunique() > 5
        columns.append(
            f"{name} ({_span(values.astype(float).tolist())})"
            if number
            else f"{name} ({_listed([f'{v}: {n}' for v, n in values.value_counts().items()], 5)})"
        )
    return ", ".join(columns)


def _decisions(summary: Summary) -> list[str]:
    told: dict[str, int] = {}
    for recording in summary.recordings:
        for decision in recording.decisions:
            told[decision] = told.get(decision, 0) + 1
    most = sorted(told.items(), key=lambda item: -item[1])
    lines = [f"{decision} ({n} recordings)" if n > 1 else decision for decision, n in most[:12]]
    return lines + ([f"and {len(most) - 12} more, which `brainfm prepare` prints"] if len(most) > 12 else [])


def _span(values: list[float]) -> str:
    low, high = min(values), max(values)
    return f"{low:.4g}" if low == high else f"{low:.4g}-{high:.4g}"


def _listed(items: list[str], most: int = 20) -> str:
    return ", ".join(items[:most]) + (f" and {len(items) - most} more" if len(items) > most else "")
