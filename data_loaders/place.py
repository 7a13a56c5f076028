"""Opens the place where a store lies: a folder of this machine, or an address."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from data_loaders.bucket.address import is_remote, local
from data_loaders.extents import Bytes, Local


def content_of(place: str | Path, storage_options: Mapping[str, Any] | None = None) -> Bytes:
    """The files of a store. Raises FileNotFoundError, PermissionError or ConnectionError where an address cannot be read."""
    if not is_remote(place):
        return Local(local(place))
    # fsspec's clients take long to import
    from data_loaders.bucket.remote import Remote

    return Remote(str(place), storage_options)
