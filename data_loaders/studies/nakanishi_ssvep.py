"""Steady-state visual potentials of Nakanishi et al. 2018."""

from __future__ import annotations

from data_loaders.archives.base import File
from data_loaders.studies.base import Study


class NakanishiSSVEP(Study):
    """Steady-state visual potentials of one person: 40 targets, 9 channels at 250 Hz, 6 blocks of 5 s."""

    title = "SSVEP of one person while looking at 40 targets"
    url = "https://github.com/mnakanishi/TRCA-SSVEP"
    licence = "BSD-3"
    citation = "Nakanishi et al. 2018, IEEE Trans Biomed Eng 65(1):104, https://doi.org/10.1109/TBME.2017.2694818"
    modality, n_subjects, n_sessions = "eeg", 1, 1

    def files(self, part: str | None = None) -> list[File]:
        # the repository gives no checksum: git's own is of the tree, not of the file as it is served
        return [File("sample.mat", "https://raw.githubusercontent.com/mnakanishi/TRCA-SSVEP/master/data/sample.mat")]
