"""Recordings that are folders: who they are of, by where they lie."""

from __future__ import annotations

from pathlib import Path

from data_loaders.formats.nwb import word

# what programs call their output: it says nothing of the recording
_OUTPUTS = {
    "suite2p",
    "combined",
    "phy",
    "kilosort",
    "kilosort2",
    "kilosort25",
    "kilosort3",
    "kilosort4",
    "ks2",
    "ks25",
    "ks3",
    "ks4",
    "sorter_output",
}


def named_by_folder(folder: Path, top: Path) -> dict[str, str]:
    """The study is the folder that was asked for, the subject the first below it, the session the others."""
    parts = (
        [part for part in folder.relative_to(top).parts if part.lower() not in _OUTPUTS]
        if top in folder.parents
        else []
    )
    alone = next(
        (part for part in (folder.name, folder.resolve().parent.name) if part.lower() not in _OUTPUTS), folder.name
    )
    subject, *rest = parts or [alone]
    return {"study": top.resolve().name, "subject": word(subject), "session": word(" ".join(rest))}
