"""fMRI: NIfTI, CIFTI and GIFTI series, BIDS and fMRIPrep datasets, and tables or arrays of regions with a sidecar."""

from __future__ import annotations

from pathlib import Path

from data_loaders.contracts import Recording
from data_loaders.formats import fmri, fmri_files
from data_loaders.modalities.base import Reader, Source


class FMRI(Reader):
    """One channel per voxel of a mask, vertex, grayordinate, parcel or region; its clock ticks once per volume.

    The signal is in the scanner's own unit (`n/a`), or in what standardisation makes of it. `Recording.space` says where the
    channels lie. Sidecars are described in `data_loaders.formats.fmri`.
    """

    def sources(self, root: Path) -> list[Source]:
        return fmri_files.sources(root)

    def read(self, source: Source) -> Recording:
        return fmri.read(source)
