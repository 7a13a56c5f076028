"""What several tests share: the real recordings, where they are."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

# no test is timed: machines differ
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

DATA = Path(os.environ.get("BRAINFM_DATA", Path(__file__).parents[2] / "shared" / "data"))


@pytest.fixture
def shared_data() -> Callable[[str], Path]:
    """The folder of a real recording by name; skips where it is absent."""

    def folder(name: str) -> Path:
        if not (DATA / name).is_dir():
            pytest.skip(f"no real recordings at {DATA / name}: set BRAINFM_DATA to the folder that holds them")
        return DATA / name

    return folder
