"""What encoders may know of the signal that a batch carries: channels, samples and rate, asked once per kind of recording."""

from __future__ import annotations

from typing import Any

import numpy as np

from data_loaders.gather import Gather
from data_loaders.intervals import sfreqs
from data_loaders.kinds import Kinds
from data_loaders.labelled import sizes


def signal_facts(gather: Gather) -> dict[str, Any]:
    """Rate, and where batches carry a signal its channels and samples after the transforms, of the widest recording."""
    kinds = Kinds.of(gather.windows, gather.store, gather.transforms)
    infos = [gather.infos(recording)[-1] for recording in kinds.first.tolist()]
    widest = max(infos, key=lambda info: len(info.ch_names))
    if "signal" not in gather.fields:
        return {"sfreq": float(widest.sfreq)}
    session_chans = np.ones(int(gather.windows.recording.max()) + 1, np.int64)
    session_chans[gather.windows.recording] = np.array([len(info.ch_names) for info in infos])[kinds.of_run]
    return {
        "sfreq": float(widest.sfreq), "n_chans": len(widest.ch_names), "n_times": _n_times(gather),
        "ch_names": list(widest.ch_names), "ch_types": list(widest.ch_types), "session_chans": session_chans.tolist(),
        "same_channels": len({info.ch_names for info in infos}) == 1,
    }  # fmt: skip


def check_channels(gather: Gather, need: str) -> None:
    """Refuses an encoder with fixed inputs where recordings have different channels.

    Raises ValueError with the transform that mends it.
    """
    if "signal" not in gather.fields:
        return
    kinds = Kinds.of(gather.windows, gather.store, gather.transforms)
    sets: dict[tuple[str, ...], int] = {}
    for recording in kinds.first.tolist():
        sets.setdefault(gather.infos(recording)[-1].ch_names, recording)
    if len(sets) == 1:
        return
    (one, first), (two, second) = list(sets.items())[:2]
    common = [name for name in one if all(name in names for names in sets)]
    if need == "fixed":
        names, apart = [gather.store.entry(r).name for r in (first, second)], sorted(set(one) ^ set(two))[:8]
        raise ValueError(
            f"{names[0]} and {names[1]} have different channels ({apart} are in one only, or their order "
            f"differs), and this encoder needs the same ones: add the transform "
            f"{{class_path: data_loaders.transforms.Pick, init_args: {{names: {common}}}}}"
        )
    print(
        f"channels: recordings have {len(sets)} different sets; batches are padded to {max(map(len, sets))} with ch_mask"
    )


def _n_times(gather: Gather) -> int:
    """The longest window after the transforms: of each rate, the longest before them is looked at."""
    windows, n_times = gather.windows, sizes(gather)["n_times"]
    rate = sfreqs(windows)
    longest = [int(np.argmax(np.where(rate == one, n_times, -1))) for one in np.unique(rate)]
    return max(len(gather.windows_of(int(windows.recording[r]), windows.first[[r]])[0]) for r in longest)
