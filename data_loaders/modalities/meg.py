"""MEG: FIF, CTF, KIT, BIDS datasets, cut epochs, and plain arrays with a sidecar."""

from __future__ import annotations

from pathlib import Path

from data_loaders.contracts import Recording
from data_loaders.formats import discover, electric
from data_loaders.formats.source import named
from data_loaders.modalities.base import Reader, Source


class MEG(Reader):
    """Files with at least one magnetometer or gradiometer. EEG recorded along with it is signal too, told by `ch_types`.

    Reference sensors, EOG, ECG and the rest are streams. Projections in the file are not applied.
    """

    def sources(self, root: Path) -> list[Source]:
        return discover.sources(root, "meg")

    def read(self, source: Source) -> Recording:
        with named(source):
            return electric.read(source)
