"""Which stimulus a stretch of a recording played: told by events that name a file (BIDS `stim_file`) and last as long."""

from __future__ import annotations

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from data_loaders.ids import decode_id, encode_id

# onsets and durations are written in decimals
_SLACK_S = 1e-6


def stimuli(
    events: pd.DataFrame, recording: Int[ndarray, "span"], seconds: Float[ndarray, "span 2"]
) -> pd.DataFrame | None:
    """For each stretch [start, stop) of a recording the columns stimulus and stimulus_onset (seconds, it may have begun before).

    They are those of the one event with a `stim_file` that covers the stretch, empty where there is none or more than one,
    missing where no event of the recording names a file; None where no event at all does.

    >>> story = pd.DataFrame({"recording": [0], "onset": [-10.0], "duration": [70.0], "stim_file": ["story.wav"]})
    >>> stimuli(story, np.array([0]), np.array([[0.0, 50.0]])).values.tolist()
    [['story.wav', -10.0]]
    """
    if "stim_file" not in events or events["stim_file"].replace("", np.nan).isna().all():
        return None
    named = events[events["stim_file"].replace("", np.nan).notna()]
    of, onset = named["recording"].to_numpy(dtype=np.int64), named["onset"].to_numpy(dtype=float)
    stop = (named["onset"] + named["duration"]).to_numpy(dtype=float)
    one, at = _only_cover(of, onset, stop, recording, seconds)
    files = named["stim_file"].astype(str).to_numpy(dtype=object)
    stimulus = np.where(np.isin(recording, of), np.where(one, files[at], ""), np.nan)
    return pd.DataFrame({"stimulus": stimulus, "stimulus_onset": np.where(one, onset[at], np.nan)})


def _only_cover(
    of: Int[ndarray, "event"],
    onset: Float[ndarray, "event"],
    stop: Float[ndarray, "event"],
    recording: Int[ndarray, "span"],
    seconds: Float[ndarray, "span 2"],
) -> tuple[Bool[ndarray, "span"], Int[ndarray, "span"]]:
    """Which stretches one event and no other covers, and that event.

    Of the events that have begun before a stretch, the one that ends last covers it if any does, and the one that ends
    second to last if several do.
    """
    order = np.lexsort((onset, of))
    order = order[~np.isnan(onset[order]) & ~np.isnan(stop[order])]
    if not len(order):
        return np.zeros(len(recording), bool), np.zeros(len(recording), np.int64)
    values, rank = np.unique(stop[order], return_inverse=True)
    key = encode_id(of[order], rank)
    latest = np.maximum.accumulate(key)
    second = np.maximum.accumulate(np.minimum(key, np.r_[-1, latest[:-1]]))
    holder = np.maximum.accumulate(np.where(key == latest, np.arange(len(key)), 0))
    last = _begun(of[order], onset[order], recording, seconds[:, 0] + _SLACK_S) - 1
    covered, twice = (_lasts(ends, last, values, recording, seconds[:, 1]) for ends in (latest, second))
    return covered & ~twice, order[holder[last]]


def _begun(
    of: Int[ndarray, "event"],
    onset: Float[ndarray, "event"],
    recording: Int[ndarray, "span"],
    at: Float[ndarray, "span"],
) -> Int[ndarray, "span"]:
    """How many events of the recordings up to each stretch's own have begun at a time, where events are in order."""
    is_event = np.r_[np.ones(len(of), bool), np.zeros(len(at), bool)]
    merged = np.lexsort((~is_event, np.r_[onset, at], np.r_[of, recording]))
    n_begun = np.empty(len(merged), np.int64)
    n_begun[merged] = np.cumsum(is_event[merged])
    return n_begun[len(of) :]


def _lasts(
    ends: Int[ndarray, "event"],
    last: Int[ndarray, "span"],
    values: Float[ndarray, "value"],
    recording: Int[ndarray, "span"],
    stop: Float[ndarray, "span"],
) -> Bool[ndarray, "span"]:
    """Whether the end that is known after event `last`, a recording and the rank of a time, is of this recording and late enough."""
    of, rank = decode_id(np.maximum(ends[last], 0))
    return (last >= 0) & (ends[last] >= 0) & (of == recording) & (values[rank] >= stop - _SLACK_S)
