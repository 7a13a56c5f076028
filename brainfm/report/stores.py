"""The stores of a run, where they are still at their place: a report is made without them too."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from brainfm.report.results import Results
from data_loaders.catalog import CATALOG, Catalog
from data_loaders.extents import Bytes
from data_loaders.place import content_of


def catalogs_of(run: Results) -> list[Catalog]:
    """What is known of the recordings of a run."""
    return [Catalog(content.table(CATALOG), place) for place, content in _contents(run)]


def store_of(run: Results) -> Any:
    """The store of a run; None where it read several, or the one is gone."""
    found = list(_contents(run))
    if len(found) != 1 or not isinstance(run.init_args("data")["store"], str):
        return None
    # what only reports does not wait for torch
    from data_loaders.store import Store

    return Store(*found[0])


def _contents(run: Results) -> Iterator[tuple[str, Bytes]]:
    data = run.init_args("data")
    stated = data.get("store", [])
    for place in map(str, stated if isinstance(stated, list) else [stated]):
        try:
            content = content_of(place, data.get("storage_options"))
            content.table(CATALOG)
        except (OSError, ValueError) as error:
            _tell(f"the report is made without {place}: {error}")
        else:
            yield place, content


@cache
def _tell(text: str) -> None:
    """Says it once, however many parts of the report ask."""
    print(text)
