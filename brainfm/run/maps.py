"""Maps of a run: scores per channel as a table, and as images where the store knows where channels lie."""

from __future__ import annotations

import numpy as np
import pandas as pd

from brainfm.run.folder import CHANNELS, RunFolder
from data_loaders.formats.space import save, to_image
from data_loaders.store import Store

_SUFFIX = {"volume": ".nii.gz", "surface": ".func.gii", "grayordinates": ".dscalar.nii"}
_ABOUT = ("subject", "model", "channel", "n_samples")


def write_maps(run: RunFolder, store: Store, table: pd.DataFrame) -> None:
    """Writes channels.csv, and below `maps/` one NIfTI, GIFTI or CIFTI per subject, model and score; prints where."""
    if table.empty:
        return
    table = pd.concat([_named(own, store) for _, own in table.groupby("subject", sort=False)], ignore_index=True)
    run.save_table(CHANNELS, table)
    written = [
        path for key, own in table.groupby(["subject", "model"], sort=False) for path in _images(run, store, key, own)
    ]
    told = f", and {len(written)} images in {run.path / 'maps'}" if written else ""
    print(f"scores per channel: {run.path / CHANNELS}{told}")


def write_series(out: RunFolder, store: Store, table: pd.DataFrame) -> None:
    """Below `maps/`, an image per recording with a volume for each window, in order of time: what was predicted, and the truth.

    Of a table with columns value_<channel> and truth_<channel>; nothing is written for recordings whose channels have no place.
    """
    names = [str(name).removeprefix("value_") for name in table if str(name).startswith("value_")]
    written = []
    for recording, own in table.groupby("recording_name", sort=False):
        entry = store.entry(list(store.catalog["name"]).index(recording))
        if not entry.space or set(names) - set(entry.ch_names):
            continue
        own = own.sort_values("onset_s", kind="stable")
        (out.path / "maps").mkdir(parents=True, exist_ok=True)
        for kind, what in (("value", "predicted"), ("truth", "measured")):
            rows = own[[f"{kind}_{name}" for name in names]].to_numpy(dtype=np.float32)
            image = to_image(entry.space, rows, entry.ch_names, names)
            written += save(image, out.path / "maps" / f"{recording}_{what}{_SUFFIX[entry.space['kind']]}")
    if written:
        print(f"predictions: {len(written)} images in {out.path / 'maps'}, a volume per window in order of time")


def _named(own: pd.DataFrame, store: Store) -> pd.DataFrame:
    """The table with the names that the subject's channels have in the store, where they were numbered."""
    names = store.entry(_recording(store, own["subject"].iloc[0])).ch_names
    numbers = own["channel"].astype(str).to_numpy()
    if len(set(numbers)) != len(names) or not all(number.isdigit() for number in numbers):
        return own
    return own.assign(channel=[names[int(number)] for number in numbers])


def _images(run: RunFolder, store: Store, key: object, own: pd.DataFrame) -> list[str]:
    subject, model = map(str, key)  # type: ignore[call-overload]
    entry = store.entry(_recording(store, subject))
    if not entry.space or set(own["channel"]) - set(entry.ch_names):
        return []
    suffix = _SUFFIX[entry.space["kind"]]
    folder = run.path / "maps"
    folder.mkdir(exist_ok=True)
    files = []
    for score in [name for name in own.columns if name not in _ABOUT and own[name].notna().any()]:
        image = to_image(entry.space, own[score].to_numpy(dtype=np.float32), entry.ch_names, list(own["channel"]))
        name = f"sub-{subject}_{model}_{score}".replace(" ", "").replace("/", "-") + suffix
        files += [str(path) for path in save(image, folder / name)]
    return files


def _recording(store: Store, subject: str) -> int:
    """The first recording of a subject."""
    return list(map(str, store.catalog["subject"])).index(subject)
