"""The leak census: twelve leaks, planted, each refused or flagged, with the score that each would have made up.

`python -m tests.test_leak_census` prints the table.
"""

import re
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.leaks import LEAKS, NAMING_TWO_WINDOWS, Found

NAMES = r"[\w-]+ \[[\d.]+, [\d.]+\) s"
HEADER = f"{'leak':<34} {'guard':<8} {'with leak':>9} {'honest':>7} {'inflation':>10}   what the guard says"


@pytest.mark.parametrize("plant", LEAKS, ids=lambda plant: plant.__name__)
def test_a_planted_leak_is_caught_and_would_have_raised_the_score(
    plant: Callable[[Path], Found], tmp_path: Path
) -> None:
    found = plant(tmp_path)
    print(f"{HEADER}\n{found.row}")
    assert found.verdict.startswith(("refused", "flagged"))
    assert found.with_leak - found.honest >= 0.05
    if plant in NAMING_TWO_WINDOWS:
        assert len(re.findall(NAMES, found.verdict)) == 2


def table() -> str:
    """All twelve."""
    with tempfile.TemporaryDirectory() as folder:
        rows = [plant(Path(folder) / plant.__name__).row for plant in LEAKS]
    return "\n".join([HEADER, *rows])


if __name__ == "__main__":
    print(table())
