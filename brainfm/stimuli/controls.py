"""What any language feature must beat: that words come, how long and how common they are, and how far the story is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from brainfm.stimuli.base import Extractor, Features

_WORD_MARKS = ".,;:!?\"'`()[]-–—“”‘’"


class Controls(Extractor):
    """Layers `rate` (one per word), `length` (letters), `frequency` and `position`, each of one column.

    `frequency` is minus the natural logarithm of a word's share, from `frequencies`, a table with the columns word and
    count, or else from the stimulus itself, where rare means rare in it. `position` runs from 0 to 1 over the stimulus.
    """

    name = "controls"

    def __init__(self, frequencies: Path | None = None) -> None:
        self.counts: Mapping[str, float] | None = None
        if frequencies is not None:
            table = pd.read_csv(frequencies, sep="\t" if frequencies.suffix == ".tsv" else ",", keep_default_na=False)
            if not {"word", "count"} <= set(table.columns):
                raise ValueError(f"{frequencies} has the columns {list(table.columns)}: it needs word and count")
            self.counts = dict(zip(table["word"].astype(str).str.lower(), table["count"].astype(float), strict=True))

    @property
    def facts(self) -> dict[str, Any]:
        told = (
            "the stimulus itself"
            if self.counts is None
            else f"{len(self.counts)} words, {sum(self.counts.values()):g} counts"
        )
        return {"model": self.name, "frequencies": told}

    def extract(self, stimulus: pd.DataFrame, kept: Path | None = None) -> Features:
        """One number per word and layer, at each word's midpoint."""
        words = [str(word).strip(_WORD_MARKS).lower() for word in stimulus["word"]]
        times = (stimulus["onset"] + stimulus["duration"] / 2).to_numpy(dtype=np.float64)
        counts = Counter(words) if self.counts is None else self.counts
        # one more for each, so that a word that a table lacks is rare and not impossible
        share = np.array([counts.get(word, 0) + 1 for word in words]) / (sum(counts.values()) + len(counts) + 1)
        columns = {
            "rate": np.ones(len(words)),
            "length": np.array([len(word) for word in words]),
            "frequency": -np.log(share),
            "position": np.linspace(0, 1, len(words)),
        }
        return Features(times, {name: values[:, None].astype(np.float32) for name, values in columns.items()})
