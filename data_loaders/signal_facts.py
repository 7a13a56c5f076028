"""What encoders may know of the signal that a batch carries: its channels and its length, and whether all recordings agree."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy import ndarray

from data_loaders.gather import Gather
from data_loaders.transforms.base import SignalInfo


def infos(gather: Gather, recordings: ndarray | None = None) -> dict[int, SignalInfo]:
    """The channels and rate that each recording with windows has after the transforms; of some, where they are named."""
    recordings = np.unique(gather.windows.recording) if recordings is None else recordings
    return {int(r): gather.infos(int(r))[-1] for r in recordings}


def widest(gather: Gather) -> SignalInfo:
    """The recording with most channels."""
    return max(infos(gather).values(), key=lambda info: len(info.ch_names))


def signal_facts(gather: Gather) -> dict[str, Any]:
    """`n_chans` and `n_times` of the largest, names and types of its channels, and channels by session."""
    known, most = infos(gather), widest(gather)
    return {
        "n_chans": len(most.ch_names),
        "n_times": _n_times(gather),
        "ch_names": list(most.ch_names),
        "ch_types": list(most.ch_types),
        "session_chans": [len(known[r].ch_names) if r in known else 1 for r in range(max(known) + 1)],
        "same_channels": len({info.ch_names for info in known.values()}) == 1,
    }


def check_channels(gather: Gather, need: str) -> None:
    """Refuses an encoder with fixed inputs (`need`) where recordings have different channels.

    Raises ValueError with the transform that mends it.
    """
    sets = {info.ch_names: recording for recording, info in infos(gather).items()}
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
    """The longest window, after the transforms, over the first of each recording."""
    _, first = np.unique(gather.windows.recording, return_index=True)
    where = zip(gather.windows.recording[first].tolist(), gather.windows.first[first, None], strict=True)
    return max(len(gather.windows_of(r, anchor)[0]) for r, anchor in where)
