"""Demographics: the row of one person in participants.tsv or in the table that a sidecar names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from data_loaders.formats.separators import dialect
from data_loaders.formats.source import Source


def guessed(source: Source) -> tuple[str, ...]:
    """Who a file is of is never guessed silently: a wrong guess puts one person on both sides of a split."""
    stem, mine = _letters(source.path.name.split(".")[0]), _letters(source.entities.get("subject", ""))
    # an NWB file says itself who it is of, and may be called after that
    taken = stem == mine if source.path.suffix == ".nwb" else bool(mine) and stem.startswith(mine)
    if {"pattern", "subject"} & set(source.description) or not taken:
        return ()
    subject = source.entities["subject"]
    return (
        f"the subject is taken from the file's name ({subject}): files of one person need a `pattern` in brainfm.yaml",
    )


def _letters(text: str) -> str:
    return "".join(c for c in text if c.isalnum()).lower()


def participant(subject: str, description: Mapping[str, Any]) -> dict[str, Any]:
    """What the sidecar's `participants: {file, subject}` says of one subject; empty where no file is named.

    Raises ValueError where the file, its column or the subject's one row is missing.
    """
    stated = description.get("participants")
    if stated is None:
        return {}
    path, column = Path(stated["file"]), str(stated["subject"])
    if not path.is_file():
        raise ValueError(f"participants names {path}, which does not exist: mend `participants: {{file: ...}}`")
    table = read_table(path)
    if column not in table:
        raise ValueError(
            f"{path.name} has no column {column!r}, its columns are {list(table)}: name one in `participants: {{subject: ...}}`"
        )
    rows = table[table[column].astype(str) == subject]
    if len(rows) != 1:
        raise ValueError(f"{path.name} has {len(rows)} rows for subject {subject!r} in column {column!r} "
                         f"(it knows {table[column].tolist()[:5]}): add the row, or mend `pattern`")  # fmt: skip
    # what a spreadsheet's numbering of rows is called when it is written without a name
    nameless = [name for name in rows.columns if str(name).startswith("Unnamed:")]
    return stated_of(rows.drop(columns=[column, *nameless]))


def read_table(path: Path) -> pd.DataFrame:
    """A csv or tsv table; `n/a` and empty cells are missing; names of people (first column) stay text."""
    parted = dialect(path)
    # utf-8-sig: spreadsheet programs put a byte order mark before the first column's name
    try:
        first = pd.read_csv(path, nrows=0, encoding="utf-8-sig", **parted).columns
    except (pd.errors.EmptyDataError, UnicodeDecodeError, pd.errors.ParserError) as error:
        raise ValueError(
            f"{path.name} is no table ({error}): it is empty or damaged; copy it again, or take it away"
        ) from error
    text = {first[0]: str} if len(first) else {}
    return pd.read_csv(path, na_values=["n/a"], dtype=text, encoding="utf-8-sig", **parted)


def stated_of(rows: pd.DataFrame) -> dict[str, Any]:
    """The first row as plain values, without what is missing."""
    row = rows.iloc[0]
    return {str(name): _plain(value) for name, value in row.items() if not pd.isna(value)}


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value
