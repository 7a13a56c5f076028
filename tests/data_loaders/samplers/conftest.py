"""Tables of windows for samplers."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from data_loaders.windows import Windows


class Columns:
    """Labels of whole runs, as the data module gives them."""

    def __init__(self, windows: Windows) -> None:
        self.of_runs = lambda name: windows.metadata[name].to_numpy()

    def __call__(self, name: str) -> np.ndarray:
        raise AssertionError("a label of whole runs was spread over their windows")


@pytest.fixture
def runs() -> Callable[..., Windows]:
    """Runs of so many windows each, every one a recording of its own, with these columns."""

    def made(*count: int, **columns: list) -> Windows:
        n = np.array(count, dtype=np.int64)
        zero = np.zeros_like(n)
        table = pd.DataFrame({"sfreq": 100.0, **columns}, index=range(len(n)))
        return Windows(np.arange(len(n)), zero, zero + 10, n, table, (0.0, 0.1))

    return made


@pytest.fixture
def columns() -> type[Columns]:
    return Columns
