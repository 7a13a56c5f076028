"""What parts the columns of a .csv or .tsv: its own character, or the semicolon (and decimal comma) of European spreadsheets."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

SUFFIXES = (".csv", ".tsv")
_LOOKED_AT = 10
_QUOTED = re.compile(r'"[^"]*"')
_COMMA, _POINT = (re.compile(rf"[+-]?\d*{point}\d+([eE][+-]?\d+)?") for point in (",", r"\."))


def dialect(path: Path) -> dict[str, str]:
    """The arguments `sep` and `decimal` of pandas.read_csv.

    A semicolon counts where it parts every row alike, else the character that the ending stands for, else whichever
    parts the first row. Commas within numbers are decimal points only where semicolons part them and no number has a point.
    """
    own = "\t" if path.suffix.lower() == ".tsv" else ","
    separator = _separator(_lines(path, _LOOKED_AT), own) if path.suffix.lower() in SUFFIXES else own
    cells = [cell.strip().strip('"') for line in _lines(path) for cell in line.split(";")] if separator == ";" else []
    commas = any(map(_COMMA.fullmatch, cells)) and not any(map(_POINT.fullmatch, cells))
    return {"sep": separator, "decimal": "," if commas else "."}


def told(path: Path) -> tuple[str, ...]:
    """What was decided about a table whose columns are not parted as its ending says."""
    if path.suffix.lower() not in SUFFIXES or not path.is_file():
        return ()
    found = dialect(path)
    if found["sep"] == ("\t" if path.suffix.lower() == ".tsv" else ","):
        return ()
    name = {";": "semicolons", "\t": "tabs", ",": "commas"}[found["sep"]]
    return (
        f"{path.name}: columns are parted by {name}{', commas are decimal points' if found['decimal'] == ',' else ''}",
    )


def _lines(path: Path, n_lines: int | None = None) -> list[str]:
    # what is no text is told, with its repair, when the table is read
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        return [line.rstrip("\r\n") for line in islice(file, n_lines) if line.strip()]


def _separator(lines: Sequence[str], own: str) -> str:
    bare = [_QUOTED.sub("", line) for line in lines]
    counts = {each: [line.count(each) for line in bare] for each in (",", "\t", ";")}
    parting = [each for each in counts if lines and counts[each][0]]
    alike = [each for each in parting if len(set(counts[each])) == 1]
    if ";" in alike or own not in parting:
        return next((each for each in (";", *alike) if each in parting), own)
    return own
