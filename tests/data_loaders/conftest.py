"""A store of people that several tests look at."""

import pytest

from data_loaders.store import Store
from tests.data_loaders.people import brain, recording
from tests.leak_world import stored


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Twelve people, two runs each."""
    made = [recording(brain(10 * i + run), f"{i:02d}", str(run)) for i in range(12) for run in (1, 2)]
    return stored(tmp_path_factory.mktemp("people"), *made)
