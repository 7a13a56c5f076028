"""Motor imagery of BCI Competition IV, set 2a, through MOABB."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from rich.progress import track

from data_loaders.archives.base import File
from data_loaders.studies.base import Study

_SUBJECTS = tuple(range(1, 10))


class BNCI2014_001(Study):  # noqa: N801  (the name that MOABB gave it)
    """Imagined movement of left hand, right hand, feet or tongue: 9 people, 2 sessions of 6 runs, 22 EEG channels at 250 Hz.

    MOABB (extra `moabb`) downloads each person and checks it by its own registry. What it gives is written as one FIF file
    per run, with the cues as annotations, so that the folder can be read by anyone. Trials last 4 s from the cue (MOABB counts
    from it too).
    """

    title = "BCI Competition IV 2a: four classes of motor imagery"
    url = "https://bnci-horizon-2020.eu/database/data-sets"
    licence = "CC BY-ND 4.0"
    citation = "Tangermann et al. 2012, Front Neurosci 6:55, https://doi.org/10.3389/fnins.2012.00055"
    modality, n_subjects, n_sessions = "eeg", 9, 2
    size = 744_000_000  # as MOABB's list of datasets has it
    parts = tuple(map(str, _SUBJECTS))

    def files(self, part: str | None = None) -> list[File]:
        """One entry per person; MOABB knows where it is and whether it is whole."""
        wanted = _SUBJECTS if part is None else (int(part),)
        return [File(f"sub-{subject}", f"moabb:BNCI2014_001/{subject}") for subject in wanted]

    def sidecar(self) -> dict[str, Any]:
        name = "sub-{subject}_ses-{session}_task-{task}_run-{run}_raw.fif"
        return {"study": self.name, "modality": "eeg", "pattern": name}

    def download(self, files: Sequence[File], dest: Path) -> None:
        todo = [int(file.path.removeprefix("sub-")) for file in files if not (dest / file.path).is_dir()]
        for subject in track(todo, f"MOABB: {len(todo)} people"):
            _write(subject, dest)
        self.describe(dest)


def _write(subject: int, dest: Path) -> None:
    """One person's runs, in a folder that has its name once all are there."""
    home, part = dest / f"sub-{subject}", dest / f".sub-{subject}.part"
    part.mkdir(parents=True, exist_ok=True)
    for session, runs in _sessions(subject).items():
        for run, raw in runs.items():
            name = f"sub-{subject}_ses-{session}_task-imagery_run-{run}_raw.fif"
            raw.save(part / name, overwrite=True, verbose="error")
    part.rename(home)


def _sessions(subject: int) -> dict[str, dict[str, Any]]:
    """Session and run to Raw. Raises ValueError where MOABB is missing, or cannot reach its host."""
    try:
        datasets = import_module("moabb.datasets")  # an extra: the type checker sees it only where it is installed
    except ImportError as error:
        raise ValueError(
            "BNCI2014_001 comes through MOABB, which is not installed: pip install 'brainfm[moabb]'"
        ) from error
    try:
        return datasets.BNCI2014_001().get_data([subject])[subject]
    except OSError as error:
        raise ValueError(
            f"MOABB could not fetch person {subject} of BNCI2014_001 ({error}): check the connection and run the same command "
            f"again, people who are there stay"
        ) from error
