"""Cut trials through MNE: `-epo.fif` and epoched EEGLAB files, laid end to end, each trial a segment with one event."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy import ndarray

from data_loaders.formats.assemble import Found
from data_loaders.formats.events import trials
from data_loaders.formats.integers import gathered
from data_loaders.formats.mne_files import channels_of, check_gzip, check_version, heard, is_epochs, suffix_of

if TYPE_CHECKING:
    import mne


def is_cut(path: Path) -> bool:
    """True where a file holds trials: FIF by its name, EEGLAB by the number of trials in it."""
    return is_epochs(path) or (suffix_of(path) == ".set" and _n_trials(path) > 1)


def _n_trials(path: Path) -> int:
    import h5py
    from scipy.io import loadmat

    try:
        if h5py.is_hdf5(path):
            with h5py.File(path) as file:
                return int(np.ravel(file.get("EEG", file)["trials"][()])[0])
        stated = loadmat(path, variable_names=["EEG", "trials"], simplify_cells=True)
        return int(stated.get("EEG", stated)["trials"])
    except (KeyError, OSError, TypeError, ValueError, NotImplementedError):
        # MNE says what is wrong with it
        return 1


def read_epochs(path: Path) -> Found:
    """What a file of cut trials holds. Columns of the metadata and the sample in the original recording go to the events."""
    import mne

    check_gzip(path)
    check_version(path)
    notes: list[str] = []
    with heard(path, notes):
        cut = mne.io.read_epochs_eeglab if suffix_of(path) == ".set" else partial(mne.read_epochs, proj=False)
        epochs = cut(path)
        data = epochs.get_data(copy=False)  # [trial, channel, time]
    n_trials, n_chans, n_times = data.shape
    flat = data.transpose(1, 0, 2).reshape(n_chans, n_trials * n_times)  # [channel, time]
    zero = round(-float(epochs.tmin) * float(epochs.info["sfreq"]))
    events, segments, told = trials(n_trials, n_times, zero, float(epochs.info["sfreq"]), _columns(epochs))
    channels = channels_of(epochs.info)
    untyped = suffix_of(path) == ".set"
    return Found(
        channels=channels, sfreq=float(epochs.info["sfreq"]), n_times=n_trials * n_times, events=events, segments=segments,
        read=lambda index: gathered(lambda start, stop: flat[list(index), start:stop], flat.shape[1], len(index)),
        guess=untyped, rename=untyped, notes=(*notes, *told, *_overlapping(epochs)),
    )  # fmt: skip


def _columns(epochs: mne.BaseEpochs) -> dict[str, Any]:
    names = {code: name for name, code in epochs.event_id.items()}
    codes = epochs.events[:, 2]
    columns: dict[str, Any] = {
        "trial_type": [names.get(int(c), str(c)) for c in codes],
        "value": codes,
        "sample": epochs.events[:, 0],
    }
    if epochs.metadata is not None:
        columns |= {
            str(n): c.to_numpy() for n, c in epochs.metadata.items() if n not in (*columns, "onset", "duration")
        }
    return columns


def _overlapping(epochs: mne.BaseEpochs) -> tuple[str, ...]:
    """Trials cut closer together than they are long share samples: a split between them leaks."""
    steps: ndarray = np.diff(np.sort(epochs.events[:, 0]))
    near = np.less(steps, len(epochs.times))
    if not near.any() or len(np.unique(epochs.events[:, 0])) < 2:
        return ()
    return (
        f"{near.sum()} of {len(near)} neighbouring trials share samples in the original recording: split by run or session, not by trial",
    )
