"""P300 speller of the BR41N.IO hackathon."""

from __future__ import annotations

from data_loaders.archives.base import File
from data_loaders.studies.base import Study


class BR41NP300(Study):
    """P300 speller of the BR41N.IO hackathon (g.tec): 5 people, 8 channels at 250 Hz, 150 target and 1,050 other flashes each."""

    title = "P300 speller of the BR41N.IO hackathon"
    url = "https://www.br41n.io"
    licence = "none is stated: for those to whom g.tec gave it"
    citation = "g.tec medical engineering, BR41N.IO hackathon data"
    modality, n_subjects, n_sessions = "eeg", 5, 1

    def files(self, part: str | None = None) -> list[File]:
        raise ValueError(
            f"{self.name} cannot be downloaded by a program: get S1.mat to S5.mat from the organisers ({self.url}), put them in a "
            f"folder, and run `brainfm prepare FOLDER stores/p300 --sidecar {self.name}`"
        )
