"""The words that a store's own events hold, as files that features are extracted of: one for each story."""

from __future__ import annotations

import hashlib
from pathlib import Path

from brainfm.files import written
from brainfm.run.features import Played
from data_loaders.store import Store
from data_loaders.words import COLUMNS


def spoken(store: Path) -> list[Played]:
    """What each recording played by its events of `trial_type` word, whose onsets are on the recording's own clock.

    Tables of words are written below `<store>/features/words`; recordings that heard the same share one. Recordings
    without words are told. Raises ValueError where there are none.
    """
    opened, found, silent = Store(store), [], []
    for number, name in enumerate(opened.catalog["name"]):
        events = opened.events_of(number) if "word" in opened.event_columns else None
        words = None if events is None else events[events["trial_type"].astype(str) == "word"]
        if words is None or words.empty:
            silent.append(str(name))
            continue
        text = words[list(COLUMNS)].to_csv(index=False, sep="\t")
        file = store / "features" / "words" / f"{hashlib.sha256(text.encode()).hexdigest()[:16]}.tsv"
        if not file.exists():
            with written(file) as part:
                part.write_text(text, encoding="utf-8")
        found.append(Played(str(name), file, 0.0))
    if not found:
        raise ValueError(
            f"{store} has no events of trial_type word with a column word: give --words FILE, or --stimuli TABLE"
        )
    if silent:
        print(f"{len(silent)} recordings have no words and get no features: {', '.join(silent[:5])}")
    return found
