"""iEEG: stereo-EEG, electrocorticography and deep brain electrodes, from what MNE reads, BIDS, NWB and plain arrays."""

from __future__ import annotations

from pathlib import Path

from data_loaders.contracts import Recording
from data_loaders.formats import discover, electric, nwb
from data_loaders.formats.source import named
from data_loaders.modalities.base import Reader, Source


class IEEG(Reader):
    """Files with contacts inside the head (`seeg`, `ecog`, `dbs`); scalp EEG recorded along with them is signal too.

    A FIF file says so itself, a BIDS dataset by its folder, an NWB file by an ElectricalSeries; for EDF, BrainVision and
    plain arrays the sidecar says `modality: ieeg`, and `ch_types: ecog` where contacts are not depth electrodes. Positions
    are in metres, in MNI space where a dataset has it; region, group and space are columns of the channels.
    """

    def sources(self, root: Path) -> list[Source]:
        return [*discover.sources(root, "ieeg"), *nwb.sources(root, "ieeg")]

    def read(self, source: Source) -> Recording:
        with named(source):
            return electric.read(source)
