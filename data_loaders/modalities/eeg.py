"""EEG: every format that MNE reads, BIDS datasets, cut epochs, and plain arrays with a sidecar."""

from __future__ import annotations

from pathlib import Path

from data_loaders.contracts import Recording
from data_loaders.formats import discover, electric
from data_loaders.formats.source import named
from data_loaders.modalities.base import Reader, Source


class EEG(Reader):
    """Files without a MEG channel. Only electrodes on the scalp are signal; EOG, ECG and the rest are streams.

    Names that are not of electrodes are told apart where the format cannot (EDF, BDF, GDF, EEGLAB, BrainVision).
    Sidecars are described in `data_loaders.formats.sidecar` and `data_loaders.formats.arrays`.
    """

    def sources(self, root: Path) -> list[Source]:
        return discover.sources(root, "eeg")

    def read(self, source: Source) -> Recording:
        with named(source):
            return electric.read(source)
