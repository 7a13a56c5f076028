"""What a file of a store says of itself: its header, and its events."""

from __future__ import annotations

import json
from typing import Any

import h5py
import numpy as np
import pandas as pd
from numpy import ndarray

# BIDS writes a missing value so
MISSING = "n/a"


def header_of(file: Any, size: int) -> dict[str, Any]:
    """The header of a file of `size` bytes: a path, or an open binary file. Raises OSError where it is not whole."""
    with h5py.File(file, "r") as opened:
        return json.loads(opened["header"][()]) | {"size": size}


def events_of(file: Any) -> pd.DataFrame:
    """The events of a file: a path, or an open binary file."""
    with h5py.File(file, "r") as opened:
        return pd.DataFrame({name: _column(column) for name, column in opened.get("events", {}).items()})


def _column(column: h5py.Dataset) -> ndarray:
    if not h5py.check_string_dtype(column.dtype):
        return column[()]
    return np.array([None if text == MISSING else text for text in column.asstr()[()]], dtype=object)
