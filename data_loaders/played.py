"""Which stimulus a stretch of a recording played: told by events that name a file (BIDS `stim_file`) and last as long."""

from __future__ import annotations

import numpy as np
import pandas as pd
from jaxtyping import Float
from numpy import ndarray


def stimuli(events: pd.DataFrame, spans: Float[ndarray, "span 2"]) -> pd.DataFrame | None:
    """For each stretch [start, stop) in seconds the columns stimulus and stimulus_onset (seconds, it may have begun before).

    They are those of the one event with a `stim_file` that covers the stretch, empty where there is none or more than one;
    None where no event names a file.

    >>> story = pd.DataFrame({"onset": [-10.0], "duration": [70.0], "stim_file": ["story.wav"]})
    >>> stimuli(story, np.array([[0.0, 50.0]])).values.tolist()
    [['story.wav', -10.0]]
    """
    if "stim_file" not in events or events["stim_file"].replace("", np.nan).isna().all():
        return None
    named = events[events["stim_file"].replace("", np.nan).notna()]
    onset, stop = named["onset"].to_numpy(dtype=float), (named["onset"] + named["duration"]).to_numpy(dtype=float)
    covers = (onset <= spans[:, :1] + 1e-6) & (stop >= spans[:, 1:] - 1e-6)  # [span, event]
    one, at = covers.sum(1) == 1, covers.argmax(1)
    files = named["stim_file"].astype(str).to_numpy()
    return pd.DataFrame({"stimulus": np.where(one, files[at], ""), "stimulus_onset": np.where(one, onset[at], np.nan)})
