"""Stories heard in the scanner, of LeBel et al. 2023 (OpenNeuro ds003020)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from data_loaders.archives import buckets
from data_loaders.archives.base import File
from data_loaders.contracts import Recording
from data_loaders.formats import space
from data_loaders.formats.nifti import image_of
from data_loaders.formats.nifti_scan import positions
from data_loaders.studies.base import Study
from data_loaders.words import words_and_note

TR = 2.0045  # seconds
# the sound begins 10 s after the first volume; the shared responses lack the first 10 volumes and the last 5, and the
# volumes in respdict.json count 5 more
SOUND_AFTER, CUT, UNCOUNTED = 10.0, (10, 5), 5
# where a story begins on the clock of its recording, whose zero is the first volume that is left
STORY_ONSET = SOUND_AFTER - CUT[0] * TR
# what the published models are tested on; the first was heard ten times by UTS01 to UTS03
TEST_STORIES = ("wheretheressmoke", "fromboyhoodtofatherhood", "onapproachtopluto")

_RESPONSES, _MASKS = "derivative/preprocessed_data", "derivative/pycortex-db/*/transforms/*_auto/mask_thick.nii.gz"
_TEXT = ("derivative/TextGrids/*", "derivative/respdict.json")
_PARTS = {"text": _TEXT, "responses": (f"{_RESPONSES}/*", _MASKS, *_TEXT), "raw": ("*",)}


class LeBel2023(Study):
    """fMRI of 8 people who listen to stories of The Moth, with every word and phone timed (TextGrid).

    Parts: `text` (when each word of each story was said), `responses` (text, and the preprocessed responses, one HDF5
    per person and story, with the mask of the cortex whose voxels they are), `raw` (the BIDS dataset with everything).

    `prepare` makes a recording of each person and story (the task is the story; of a story with single repeats, each is a
    run), one channel per voxel, already cleaned and z-scored. Its events are every word (`trial_type` word, column `word`) and the
    story itself (`story`, `stim_file`), which begins 10.045 s before the first volume: so features of words, ceilings from
    repeats and the guard against leaks know who heard what when. Split by `stimulus`, for everyone heard the same stories.

    Timing as in the released code: volumes every 2.0045 s, the sound 10 s after the first, 10 volumes cut at the start and 5
    at the end (Antonello, Vaidya and Huth 2023, and https://github.com/HuthLab/deep-fMRI-dataset).
    """

    title = "A natural language fMRI dataset for voxelwise encoding models"
    url = "https://openneuro.org/datasets/ds003020"
    licence = "CC0"
    citation = "LeBel et al. 2023, Scientific Data 10:555, https://doi.org/10.1038/s41597-023-02437-z"
    modality, n_subjects = "fmri", 8
    parts, default = ("text", "responses", "raw"), "responses"

    def files(self, part: str | None = None) -> list[File]:
        wanted = _PARTS[part or "raw"]
        listed = buckets.listing("openneuro.org", "ds003020/")
        kept = [file for file in listed if any(fnmatch(file.path, pattern) for pattern in wanted)]
        # raw is BIDS without what the authors derived from it
        return [file for file in kept if part != "raw" or not file.path.startswith("derivative/")]

    def sidecar(self) -> dict[str, Any]:
        return {
            "study": self.name, "modality": "fmri", "pattern": "preprocessed_data/{subject}/{task}.hf5", "tr": TR,
            "signal": "data", "repeats": "individual_repeats", "axes": ["time", "channel"],
            "exclude": ["sub-*", "derivative/pycortex-db/*", "pycortex-db/*"],
        }  # fmt: skip

    def describe(self, dest: Path) -> None:
        # the raw dataset is BIDS, which needs no sidecar
        if (dest / _RESPONSES).is_dir():
            super().describe(dest)

    def amended(self, recording: Recording) -> Recording:
        source = Path(recording.source)
        if source.suffix != ".hf5":
            return recording
        folder = source.parents[2]  # derivative/
        _check_length(recording, folder / "respdict.json")
        events, told = _heard(recording, folder / "TextGrids" / f"{recording.task}.TextGrid")
        known = [decision for decision in recording.decisions if not decision.startswith("no events")]
        return _placed(replace(recording, events=events, decisions=(*known, *told)), folder)


def _heard(recording: Recording, grid: Path) -> tuple[pd.DataFrame, list[str]]:
    """The story and its words on the recording's clock, and what was decided."""
    missing = pd.DataFrame({"word": [], "onset": [], "duration": []}), f"{grid.name} is not there: no words"
    words, told = words_and_note(grid) if grid.is_file() else missing
    stop = max([recording.duration - STORY_ONSET, *(words["onset"] + words["duration"])])
    story = {"word": "", "onset": 0.0, "duration": stop, "trial_type": "story", "stim_file": f"{recording.task}.wav"}
    rows = [story, *words.assign(trial_type="word", stim_file="").to_dict("records")]
    events = pd.DataFrame(rows).assign(onset=lambda table: table["onset"] + STORY_ONSET)
    begun = f"the story begins {-STORY_ONSET:g} s before the first volume"
    return events, [begun, *([told] if told else [])]


def _check_length(recording: Recording, counts: Path) -> None:
    """Refuses responses that were cut in another way: their words would lie elsewhere."""
    known: Mapping[str, int] = json.loads(counts.read_text(encoding="utf-8")) if counts.is_file() else {}
    if recording.task not in known:
        return
    n, expected = round(recording.duration / TR), known[recording.task] - UNCOUNTED - sum(CUT)
    if abs(n - expected) > 2:  # the released counts are off by a volume or two here and there
        raise ValueError(
            f"{Path(recording.source).name} of {recording.subject} has {n} volumes, but respdict.json counts {known[recording.task]}, of "
            f"which {expected} are left when {UNCOUNTED} uncounted ones, the first {CUT[0]} and the last {CUT[1]} are cut: take the "
            f"responses as they were released, or mend respdict.json"
        )


def _placed(recording: Recording, folder: Path) -> Recording:
    """The recording with its voxels' places, where the mask of its person is there and has as many."""
    found = sorted(folder.glob(_MASKS.removeprefix("derivative/").replace("*", recording.subject, 1)))
    if not found:
        told = "no mask_thick.nii.gz of this person: voxels have no place, and scores make no images"
        return replace(recording, decisions=(*recording.decisions, told))
    data, affine = image_of(found[0])
    # pycortex holds volumes as [z, y, x]: its voxels are numbered with x fastest
    index = np.argwhere(data.T != 0)[:, ::-1]
    if len(index) != len(recording.ch_names):
        raise ValueError(
            f"{found[0]} has {len(index)} voxels, {Path(recording.source).name} {len(recording.ch_names)}: take the mask that was "
            f"released with these responses, or remove it (voxels then have no place)"
        )
    numbers = np.full(data.shape, -1)
    numbers[tuple(index.T)] = np.arange(len(index))
    names = dict(zip(recording.ch_names, (f"{i},{j},{k}" for i, j, k in index.tolist()), strict=True))
    return replace(
        recording, ch_names=tuple(names.values()), bads=tuple(names[bad] for bad in recording.bads),
        ch_positions=positions(index, affine), space=space.volume(numbers, affine),
    )  # fmt: skip
