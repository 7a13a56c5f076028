"""Features of images that recordings were shown: extracted once for a folder, placed by the events that name its files."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pandas as pd

from brainfm.run.features import CACHE, Placing, kept_features
from brainfm.stimuli.base import Extractor
from brainfm.stimuli.images import Pictures
from data_loaders.attach import attach
from data_loaders.store import Store

COLUMN = "stim_file"  # what BIDS calls it


def images_into(
    store: Path, extractor: Extractor, folder: Path, placing: Placing, column: str = COLUMN, name: str | None = None
) -> list[str]:
    """Attaches one feature per layer to every recording whose events name images of the folder; returns the features' names.

    `column` of the events holds files below the folder, their last names, or these without a suffix. What is shown lasts as
    long as its event. Raises ValueError where no event names an image; events and recordings that name none are told.
    """
    opened = Store(store)
    pictures = Pictures.of(folder)
    shown = {opened.entry(i).name: _shown(opened.events_of(i), column, pictures) for i in range(len(opened))}
    _tell(shown, column, folder, pictures)
    found = kept_features(store / CACHE, extractor, pictures)
    label = name or extractor.name
    for layer, rows in found.layers.items():
        streams = {}
        for i, (recording, events) in enumerate(shown.items()):
            known = events[events["image"] >= 0]
            if len(known):
                at, onsets, durations = (known[key].to_numpy() for key in ("image", "onset", "duration"))
                streams[recording] = placing.held(rows[at], onsets, durations, opened.entry(i))
        attach(store, f"{label}.{layer}", streams, extractor.facts)
    return [f"{label}.{layer}" for layer in found.layers]


def _shown(events: pd.DataFrame, column: str, pictures: Pictures) -> pd.DataFrame:
    """The events that name something, with the number of its image; -1 where the folder lacks it."""
    if column not in events:
        return pd.DataFrame({"onset": [], "duration": [], "what": [], "image": []})
    asked = events[events[column].notna() & ~events[column].astype(str).isin(["", "n/a"])]
    places = _places(pictures)
    what = asked[column].astype(str)
    duration = asked["duration"].fillna(0.0) if "duration" in asked else 0.0
    return pd.DataFrame(
        {"onset": asked["onset"], "duration": duration, "what": what, "image": what.map(lambda v: places.get(v, -1))}
    )


def _places(pictures: Pictures) -> dict[str, int]:
    """Numbers of images by path, last name and stem; a short name that two share means neither."""
    found: dict[str, int] = {}
    for short in (lambda path: path.stem, lambda path: path.name, str):
        names = [short(PurePosixPath(name)) for name in pictures.names]
        found |= {name: i for i, name in enumerate(names) if names.count(name) == 1}
    return found


def _tell(shown: dict[str, pd.DataFrame], column: str, folder: Path, pictures: Pictures) -> None:
    every = pd.concat(shown.values(), ignore_index=True)
    lost = sorted(set(every.loc[every["image"] < 0, "what"]))
    if not (every["image"] >= 0).any():
        told = f"they name {lost[:3]}" if lost else f"no recording has events with a column {column!r}"
        raise ValueError(
            f"no event names an image of {folder} ({list(pictures.names[:3])}): {told}; name the column with --column"
        )
    if lost:
        print(f"{(every['image'] < 0).sum():,} events name images that {folder} lacks ({lost[:3]}): zero is put there")
    without = [name for name, events in shown.items() if not (events["image"] >= 0).any()]
    if without:
        print(f"{len(without)} recordings were shown no image and get no feature: {without[:5]}")
