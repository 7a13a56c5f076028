"""Reader: finds the recordings of one kind of signal below a folder and reads them one at a time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path

from data_loaders.contracts import Recording
from data_loaders.formats.source import Source

__all__ = ["Reader", "Source"]


class Reader(ABC):
    """How the foreign files of one modality become Recordings.

    A new modality is one new file beside this one with one final subclass, made without arguments: `prepare` asks
    every subclass for its sources. No file belongs to two readers.
    """

    @abstractmethod
    def sources(self, root: Path) -> list[Source]:
        """Everything below `root` (a folder, or one file) that this reader reads, in a fixed order.

        Opens headers at most, never a signal. An empty list means that nothing here is of this modality.
        """

    @abstractmethod
    def read(self, source: Source) -> Recording:
        """The recording, in SI units, with everything that was decided about it in `decisions`.

        Nothing is printed here: whoever asked prints the decisions. Raises ValueError with the repair where the
        file cannot be what it claims.
        """
