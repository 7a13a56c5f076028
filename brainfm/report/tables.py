"""Tables: cells as text, the row that the reader should see first marked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Table:
    """Rows of printed cells under a caption; the first `words` columns are words, the others numbers. `marked` are rows by number."""

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    words: int = 1
    marked: Sequence[int] = field(default_factory=tuple)
