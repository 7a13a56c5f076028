"""Maps of a run: scores per channel as a table, and as images where the store knows where channels lie."""

from __future__ import annotations

import numpy as np
import pandas as pd

from brainfm.run.folder import CHANNELS, RunFolder
from data_loaders.formats.space import save, to_image
from data_loaders.store import Store

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
    suffix = {"volume": ".nii.gz", "surface": ".func.gii", "grayordinates": ".dscalar.nii"}[entry.space["kind"]]
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
