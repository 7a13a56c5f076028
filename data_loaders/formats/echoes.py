"""Echoes of one fMRI run (`_echo-1_bold`, `_echo-2_bold`): one series of a run is read, never several as if they were different data."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from data_loaders.formats import bids_func
from data_loaders.formats.source import Source

_ECHO = re.compile(r"_echo-(\d+)")


def one_of_each(found: Sequence[Source]) -> Iterator[Source]:
    """Of runs with echoes the combined series, or the echo that the sidecar's `echo` names; everything else as it is.

    Raises ValueError that lists the echoes where there are several, none combined, and none of these is asked for.
    """
    runs: dict[tuple[Any, ...], list[Source]] = {}
    for source in found:
        runs.setdefault(_run_of(source.path), []).append(source)
    kept = {id(source) for same in runs.values() for source in _chosen(same)}
    yield from (source for source in found if id(source) in kept)


def told(path: Path) -> tuple[str, ...]:
    """What was decided for a run with echoes: which series is read, and which files of it are not."""
    ending = path.name[path.name.index(".") :] if "." in path.name else ""
    beside = [p for p in path.parent.glob(f"*_echo-*{ending}") if _run_of(p) == _run_of(path)]
    others = sorted({echo for p in beside if (echo := echo_of(p)) is not None} - {echo_of(path)})
    if not others:
        return ()
    left = f"{'echo' if len(others) == 1 else 'echoes'} {', '.join(map(str, others))}"
    read = (
        "the series without an echo in its name, the combined one,"
        if echo_of(path) is None
        else f"echo {echo_of(path)}"
    )
    return (f"of a run with several echoes {read} is read; {left} beside it left out",)


def echo_of(path: Path) -> int | None:
    """The number of the echo in a name.

    >>> echo_of(Path("sub-01_task-rest_echo-2_bold.nii.gz"))
    2
    """
    stated = _ECHO.search(path.name)
    return int(stated[1]) if stated else None


def _run_of(path: Path) -> tuple[Any, ...]:
    """What the echoes of a run and their combination share: all of the name but echo, space and processing."""
    who = bids_func.run_of(path)
    if "subject" not in who:
        return (path.parent, _ECHO.sub("", path.name))
    suffix = bids_func.entities_in(path)["suffix"]
    return (path.parent, suffix, *sorted((key, value) for key, value in who.items() if key != "echo"))


def _chosen(same: Sequence[Source]) -> list[Source]:
    echoes = sorted({echo for source in same if (echo := echo_of(source.path)) is not None})
    asked = same[0].description.get("echo")
    wanted = None if asked is None else int(asked) if str(asked).isdigit() else asked
    fitting = [source for source in same if echo_of(source.path) == wanted]
    if not echoes or fitting:
        return fitting if echoes else list(same)
    if len(echoes) == 1 and asked is None:
        return list(same)
    names = ", ".join(map(str, echoes))
    found = f"echo {asked} is asked for, and there are" if asked is not None else "the run has"
    run, example = _ECHO.sub("", same[0].path.name), echoes[min(1, len(echoes) - 1)]
    raise ValueError(f"{run}: {found} the echoes {names}, which are one measurement: which one is to be read? State it in brainfm.yaml, "
                     f"such as `echo: {example}`, or combine them (fMRIPrep, tedana) and prepare what comes out")  # fmt: skip
