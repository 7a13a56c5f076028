"""A training that dies in the middle, for tests of what comes after."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from brainfm.systems.keeping import LastCheckpoint


class KilledError(RuntimeError):
    """What ends it."""


@contextmanager
def dies_after(saves: int) -> Iterator[None]:
    """A training within this context dies after so many saves of its last.ckpt; that it does is checked."""
    save, count = LastCheckpoint._save, [0]

    def save_and_die(self: LastCheckpoint, trainer: object) -> None:
        save(self, trainer)
        count[0] += 1
        if count[0] == saves:
            raise KilledError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LastCheckpoint, "_save", save_and_die)
        with pytest.raises(KilledError):
            yield
