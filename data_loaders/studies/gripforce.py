"""Grip force under ECoG and LFP, the sample recording of py_neuromodulation."""

from __future__ import annotations

from data_loaders.archives.base import File
from data_loaders.studies.base import Study


class GripForce(Study):
    """ECoG and subthalamic LFP of one person with Parkinson's disease who grips: 1 kHz, 19 s, MNI positions, force on both sides."""

    title = "Grip force under ECoG and subthalamic LFP, a sample of one person"
    url = "https://github.com/neuromodulation/py_neuromodulation"
    licence = "MIT"
    citation = "Merk et al. 2022, eLife 11:e75126, https://doi.org/10.7554/eLife.75126"
    modality, n_subjects, n_sessions = "ieeg", 1, 1

    def files(self, part: str | None = None) -> list[File]:
        raise ValueError(
            f"{self.name} comes inside a Python package: run `pip download --no-deps py_neuromodulation==0.1.7`, unzip the wheel, "
            f"and `brainfm prepare py_neuromodulation/data stores/{self.name} --sidecar {self.name}`"
        )
