"""Stories heard in the scanner, of LeBel et al. 2023 (OpenNeuro ds003020)."""

from __future__ import annotations

from data_loaders.archives import buckets
from data_loaders.archives.base import File
from data_loaders.studies.base import Study

_PREFIXES = {
    "text": ("derivative/TextGrids/", "derivative/respdict.json"),
    "responses": ("derivative/preprocessed_data/", "derivative/TextGrids/", "derivative/respdict.json"),
    "raw": ("",),
}


class LeBel2023(Study):
    """fMRI of 8 people who listen to stories of The Moth, with every word and phone timed (TextGrid).

    Parts: `text` (when each word of each story was said), `responses` (text, and the preprocessed responses, one HDF5
    per person and story), `raw` (the BIDS dataset with everything).
    """

    title = "A natural language fMRI dataset for voxelwise encoding models"
    url = "https://openneuro.org/datasets/ds003020"
    licence = "CC0"
    citation = "LeBel et al. 2023, Scientific Data 10:555, https://doi.org/10.1038/s41597-023-02437-z"
    modality, n_subjects = "fmri", 8
    parts, default = ("text", "responses", "raw"), "responses"

    def files(self, part: str | None = None) -> list[File]:
        wanted = _PREFIXES[part or "raw"]
        listed = buckets.listing("openneuro.org", "ds003020/")
        # raw is BIDS without what the authors derived from it
        kept = [file for file in listed if file.path.startswith(wanted)]
        return [file for file in kept if part != "raw" or not file.path.startswith("derivative/")]
