"""EEG during mental arithmetic (PhysioNet)."""

from __future__ import annotations

from data_loaders.archives import physionet
from data_loaders.archives.base import File
from data_loaders.studies.base import Study


class EEGMAT(Study):
    """EEG during mental arithmetic: 36 people, 19 channels at 500 Hz, at rest (_1) and while subtracting (_2)."""

    title = "EEG before and during mental arithmetic"
    url = "https://physionet.org/content/eegmat/1.0.0/"
    licence = "ODC-By 1.0"
    citation = "Zyma et al. 2019, Data 4(1):14, https://doi.org/10.3390/data4010014"
    modality, n_subjects, n_sessions = "eeg", 36, 1

    def files(self, part: str | None = None) -> list[File]:
        return physionet.files("eegmat", "1.0.0")
