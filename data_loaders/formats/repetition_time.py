"""The repetition time: from the sidecar, the BIDS JSON or the header, which must agree; else a question."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

# two ways of writing one number
_SAME = 1e-3


def repetition_time(
    path: Path, stated: Any, told_by_json: Any, header: float | None, said: str, demographics: Mapping[str, Any]
) -> tuple[float, tuple[str, ...]]:
    """Seconds between volumes, and what was decided.

    `stated` is the sidecar's `tr`: a number, or `{column: SITE, PITT: 1.5, OLIN: 2.0}`, which looks it up by what the participants'
    table says of the person. It wins, then RepetitionTime of the JSON, then the header. Raises ValueError where none states
    a credible time, or JSON and header disagree.
    """
    if stated is not None:
        seconds = (
            _looked_up(path, stated, demographics) if isinstance(stated, Mapping) else _credible(path, "tr", stated)
        )
        differs = header is not None and abs(seconds - header) > _SAME * header
        return seconds, (f"the repetition time is {seconds:g} s by the sidecar, though {said}",) if differs else ()
    if told_by_json is not None:
        seconds = _credible(path, "RepetitionTime of its JSON", told_by_json)
        if header is not None and abs(seconds - header) > _SAME * header:
            raise ValueError(f"{path.name}: RepetitionTime is {seconds:g} s in its JSON, but {said}: which is right? "
                             f"State `tr: {seconds:g}` "
                             f"(seconds) in brainfm.yaml")  # fmt: skip
        return seconds, () if header is not None else (f"the repetition time is {seconds:g} s by the JSON; {said}",)
    if header is None:
        raise ValueError(f"{path.name}: how many seconds lie between two volumes? {said[0].upper() + said[1:]}, which "
                         f"cannot be trusted: state "
                         f"for example `tr: 2.0` (seconds) in brainfm.yaml")  # fmt: skip
    return header, (
        f"the repetition time is taken as {header:g} s: {said}",
    ) if "without a unit" in said or " ms" in said or " us" in said else ()


def _credible(path: Path, key: str, value: Any) -> float:
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        seconds = float("nan")
    if not 0.01 <= seconds <= 60:
        ms = f"; {value} ms would be {seconds / 1000:g}" if seconds > 60 else ""
        raise ValueError(
            f"{path.name}: {key} is {value!r}, expected seconds from 0.01 to 60, such as 2.0{ms}: state `tr` in brainfm.yaml"
        )
    return seconds


def _looked_up(path: Path, stated: Mapping[str, Any], demographics: Mapping[str, Any]) -> float:
    column = str(stated.get("column", ""))
    value = demographics.get(column)
    times = {str(key): time for key, time in stated.items() if key != "column"}
    if value is None or (times and str(value) not in times):
        raise ValueError(f"{path.name}: tr is looked up by the participants' column {column!r}, which says {value!r} of "
                         f"this person; the sidecar "
                         f"knows {sorted(times)}: add it to `tr`")  # fmt: skip
    return _credible(path, f"tr of {value}", times[str(value)] if times else value)
